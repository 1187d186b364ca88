"""Files are written whole or not at all."""

import io
import os
from contextlib import suppress
from pathlib import Path

import torch


def write(path: Path | str, content: str | bytes) -> None:
    """Write text, as UTF-8, or bytes; what was there before stays until all is on the disk.

    Its folder is made. Raises OSError, which names the file; nothing is left of what was begun.
    """
    write_all({Path(path): content})


def write_state(path: Path | str, state: dict) -> None:
    """Write what `torch.load(path, weights_only=True)` reads: state dicts, tensors, numbers, lists."""
    buffer = io.BytesIO()  # of a full disk torch itself would say "unexpected pos 2880 vs 2774"
    torch.save(state, buffer)
    write(path, buffer.getvalue())


def write_all(files: dict[Path, str | bytes]) -> None:
    """Write several files, none of them before all are on the disk. Errors as `write`'s.

    The last file marks completeness: an old one is removed first, the new one is put in place last.
    """
    parts = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in files}
    path = next(iter(files), None)
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            parts[path].write_bytes(content.encode("utf8") if isinstance(content, str) else content)
        if len(parts) > 1:
            path.unlink(missing_ok=True)
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        for part in parts.values():
            with suppress(OSError):  # of most there is none
                part.unlink()
