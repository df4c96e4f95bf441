"""The headers of a task that work with every TDE, as the runtime reads them."""

from typing import Final

ERROR_CODE: Final = "errorCode"
ERROR_DETAILS: Final = "errorDetails"
"""With "true", a BPMN error that the TDE throws takes its code and message along as errorCode and errorMessage."""
RETRY_BACKOFF: Final = "retryBackoff"
RETRY_ATTEMPTS: Final = "retryAttempts"
USUAL_ATTEMPTS: Final = 3
"""How often Zeebe gives a job out where neither the task nor the TDE says it."""
