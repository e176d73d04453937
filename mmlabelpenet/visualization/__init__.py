"""Pictures of the cascade."""

__all__: list[str] = []
