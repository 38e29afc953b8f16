"""What a page or the command line may do: one module per page, joining families, store and jobs."""

from core.actions.session import here, home_folder, is_open, start, stop

__all__ = ["here", "home_folder", "is_open", "start", "stop"]
