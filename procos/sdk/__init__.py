"""What the author of a TDE holds: one decorator, a typed context, and three ways to end a job.

from pydantic import BaseModel
from procos.sdk import tde

class Person(BaseModel):
    name: str

class Greeting(BaseModel):
    text: str

@tde("greet", description="Greets a person by name")
def greet(person: Person) -> Greeting:
    return Greeting(text=f"Hello {person.name}")
"""

from procos.errors import BpmnError, GiveUp, PluginError, RetryLater
from procos.sdk.context import TaskContext
from procos.sdk.registration import Tde, tde
from procos.sdk.retry import RetryPolicy

__all__ = ["tde", "Tde", "TaskContext", "RetryPolicy", "BpmnError", "RetryLater", "GiveUp", "PluginError"]
