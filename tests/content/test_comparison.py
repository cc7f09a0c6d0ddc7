"""What differs between two versions, as a node tells it over its API."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from iwdc_console.client import Client
from iwdc_console.outcomes import ClientError
from tests.content.catalogue_trees import write_catalogue
from tests.runtime.scripted import until
from tests.runtime.test_three_nodes import cluster

FILES = 30
CHANGED = 6


def test_objects_and_files_that_differ_are_told_and_counted(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as nodes:
            tree = write_catalogue(tmp_path / "tree", FILES)
            await nodes[0].publish_snapshot(tree, "1.0.0")
            write_catalogue(tree, FILES, changed=CHANGED)
            (tree / "seo" / "новое.xml").write_text("<x/>", encoding="utf-8")
            await nodes[0].publish_snapshot(tree, "1.1.0")
            client = Client([nodes[0].url])

            def get(path: str, **query: object) -> Any:
                return client.get(path, **query).data

            told = await asyncio.to_thread(get, "snapshots/1.1.0/changes", base="1.0.0")
            assert (told["from"], told["to"]) == ("1.0.0", "1.1.0")
            assert {name: counts["changed"] for name, counts in told["summary"].items()} == {
                "series": 2, "models": 2, "lengths": 2,
            }  # fmt: skip
            change = told["objects"]["series"]["changed"][0]
            assert (change["from"]["правка"], change["to"]["правка"]) == (0, CHANGED)
            assert told["others"]["added"] == ["seo/новое.xml"]
            few = await asyncio.to_thread(get, "snapshots/1.1.0/changes", base="1.0.0", limit=1)
            assert few["summary"] == told["summary"]
            assert [len(each["changed"]) for each in few["objects"].values()] == [1, 1, 1]
            summary = await asyncio.to_thread(get, "snapshots/1.1.0/summary")
            assert summary["types"] == {"series": 10, "models": 10, "lengths": 10, "xml": 2, "json": 1}
            for path, query, reason in (
                ("snapshots/1.1.0/changes", {"base": "0.9.0"}, "not_here"),
                ("snapshots/9.9.9/summary", {}, "not_here"),
            ):
                with pytest.raises(ClientError) as refused:
                    await asyncio.to_thread(get, path, **query)
                assert refused.value.reason == reason

    asyncio.run(story())


def test_an_object_that_nobody_could_read_is_null_in_the_data(tmp_path: Path) -> None:
    async def story() -> None:
        async with cluster(tmp_path) as nodes:
            tree = write_catalogue(tmp_path / "tree", 3)
            (tree / "series" / "deep.json").write_text("[" * 5_000 + "]" * 5_000)
            await nodes[0].publish_snapshot(tree, "1.0.0")
            store = nodes[0].content.keeper.store
            await until(lambda: store.installed("1.0.0") is not None, "it is here")
            data = (await asyncio.to_thread(Client([nodes[0].url]).get, "snapshots/1.0.0")).data
            assert [each and each["slug"] for each in data["series"]] == [None, "изделие-0"]

    asyncio.run(story())
