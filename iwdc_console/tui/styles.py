"""How widgets that are Textual's own look: in the colours of the theme as they stand.

Textual mixes some of its own from them, and on terminals of sixteen colours it leaves some to the terminal, whose
background nobody knows.
"""

CSS = """
App:ansi, Screen:ansi { background: $background; color: $foreground; }
ModalScreen:ansi { background: transparent; }

.-stale Table, .-stale Lines { color: $text-muted; }
.panel.-maximized {
    width: 100% !important; height: 100% !important; max-height: 100% !important; margin: 0 !important;
}

Input:ansi { background: $panel; color: $foreground; }
Input:focus { background-tint: $foreground 0%; }
Input > .input--placeholder, Input > .input--suggestion { color: $text-muted; text-style: not dim; }

Button, Button:ansi {
    background: $panel; color: $foreground; border-top: tall $panel; border-bottom: tall $panel;
    &.-primary { background: $primary; color: $background; border-top: tall $primary; border-bottom: tall $primary; }
    &.-error { background: $error; color: $background; border-top: tall $error; border-bottom: tall $error; }
    &:focus { background-tint: $foreground 0%; }
    &:disabled {
        opacity: 100%; text-opacity: 100%; text-style: none; background: $panel; color: $text-disabled;
        border: tall $panel;
    }
}

/* Sixteen colours have no shade to raise a button with: a frame does it. */
Button:ansi, Button:ansi:hover { border: round $border-blurred; }
Button:ansi:focus { border: round $border; }
Button:ansi:disabled { border: round $border-blurred !important; background: $panel !important; }

/* Above the line where something is asked, and above the timeline. */
ToastRack { margin-bottom: 3; }
Toast, Toast:ansi { background: $panel; color: $foreground; }

DirectoryTree, DirectoryTree:ansi { color: $foreground; background: $surface; }

CommandPalette > Vertical { width: 72; max-width: 96%; }
CommandPalette #--container, CommandPalette CommandList { background: $surface; }
CommandPalette SearchIcon { display: none; }
CommandPalette > .command-palette--help-text { color: $text-muted; background: transparent; text-style: not dim; }
CommandPalette > .command-palette--highlight { color: $foreground; }
"""
