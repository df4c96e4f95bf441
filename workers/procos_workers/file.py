"""The TDE `file`: reads, writes and arranges files in the folders that the settings allow."""

from collections.abc import Callable

from procos.sdk import TaskContext, tde
from procos_workers.file_failure import explain
from procos_workers.file_reading import exists, list_folder, read
from procos_workers.file_task import FileConfig, FileInput, FileOutput, Operation
from procos_workers.file_work import FileWork
from procos_workers.file_writing import append, copy, delete, move, write
from procos_workers.rooted_folder import Roots

_OPERATIONS: dict[Operation, Callable[[FileWork], FileOutput]] = {
    "read": read,
    "write": write,
    "append": append,
    "list": list_folder,
    "move": move,
    "copy": copy,
    "delete": delete,
    "exists": exists,
}


@tde(
    "file",
    description="Reads, writes, appends to, lists, moves, copies and deletes files in folders that the settings allow",
    config=FileConfig,
    examples=(
        "Write the text to a file",
        "Read the list of addresses from a file",
        "Is the file there?",
        "Delete the old files in the folder",
    ),
)
def file(task: FileInput, context: TaskContext[FileConfig]) -> FileOutput:
    """Does one thing with a file or a folder inside the roots; no path, and no symlink, leads out of them.

    Writes are atomic: a failed one leaves the old content. A job may run again after a crash, so what it finds done
    counts as done: a file that is at its target although its source is gone was moved; one that is gone was deleted;
    one that may not be overwritten but has the very content was written; what the job appended is not added again.

    Raises:
        GiveUp: a person has to mend something: a path outside the roots, a symlink, a missing file, a folder where a
            file is needed, content that is too large or not of its format, a permission.
        FileFailed: it may work later: the disk is full, or had an error.
    """
    roots = Roots(context.config.roots or [context.data_folder.absolute()])
    work = FileWork(task=task, context=context, roots=roots)
    try:
        if not context.config.roots:
            context.data_folder.mkdir(parents=True, exist_ok=True)
        return _OPERATIONS[task.operation](work)
    except OSError as error:
        raise explain(error, where=work.where, path=str(work.source.path), roots=str(roots)) from None
