"""Reading and replacing files. With ``locks/`` and ``treefiles/`` the only code that touches the
file system.

Promises: nothing is opened through a link, a special file never blocks a reader, a final name
is never opened for writing, and after an error the old file is whole and the temporary file
is gone. Sources: performance.md §1 and §3 (staging folder), open(2), rename(2), fsync(2).
"""

from .copying import copy_file
from .directories import (
    DIRECTORY_FLAGS,
    DIRECTORY_MODE,
    SIDECAR_ROOT,
    close_directory,
    ensure_directory,
    folder_of,
    make_directory_at,
    open_below,
    open_directory,
    restrict_directory,
)
from .looking import Room, link_target, list_names, real_path, room_at, status_of
from .moving import copy_name, exchange, move_into, rename_new, replace_patiently
from .reading import DEFAULT_MAX_BYTES, READ_FLAGS, digest_of, read_file, read_file_stat
from .refusing import io_error
from .removing import remove_file, remove_quietly, remove_tree
from .syncing import (
    DURABILITIES,
    Durability,
    sync_all,
    sync_data,
    sync_descriptor,
    sync_directory,
    sync_file_system,
    sync_named_file,
)
from .writing import (
    CREATE_FLAGS,
    FILE_MODE,
    Marks,
    append_line,
    open_list,
    restrict_file,
    touch,
    write_all,
    write_new,
)

__all__ = [
    "CREATE_FLAGS",
    "DEFAULT_MAX_BYTES",
    "DIRECTORY_FLAGS",
    "DIRECTORY_MODE",
    "DURABILITIES",
    "FILE_MODE",
    "READ_FLAGS",
    "SIDECAR_ROOT",
    "Durability",
    "Marks",
    "Room",
    "append_line",
    "close_directory",
    "copy_file",
    "copy_name",
    "digest_of",
    "ensure_directory",
    "exchange",
    "folder_of",
    "io_error",
    "link_target",
    "list_names",
    "make_directory_at",
    "move_into",
    "open_below",
    "open_directory",
    "open_list",
    "read_file",
    "read_file_stat",
    "real_path",
    "remove_file",
    "remove_quietly",
    "remove_tree",
    "rename_new",
    "replace_patiently",
    "restrict_directory",
    "restrict_file",
    "room_at",
    "status_of",
    "sync_all",
    "sync_data",
    "sync_descriptor",
    "sync_directory",
    "sync_file_system",
    "sync_named_file",
    "touch",
    "write_all",
    "write_new",
]
