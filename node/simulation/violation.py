"""A broken promise, found by a checker."""


class Violation(AssertionError):
    """`rule` names the promise or rule, `where` the instance, `story` what was seen against what was expected."""

    def __init__(self, rule: str, where: str, story: str) -> None:
        super().__init__(f"{rule}: {where}: {story}")
        self.rule = rule
        self.where = where
        self.story = story
