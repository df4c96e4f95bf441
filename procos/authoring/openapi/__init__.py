"""`procos tde from-openapi`: a package with a typed TDE for each operation of an OpenAPI document."""

from procos.authoring.openapi.generation import Generated, from_openapi

__all__ = ["Generated", "from_openapi"]
