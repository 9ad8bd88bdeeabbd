from collections.abc import Sequence

import pghistory


def tracked(*, verbose_name: str, exclude: Sequence[str] = ()):
    """
    Keep every version of a model's rows, with who changed them and where.

    exclude: fields that never reach the history, such as secrets.
    """
    return pghistory.track(
        pghistory.InsertEvent(),
        pghistory.UpdateEvent(),
        pghistory.DeleteEvent(),
        exclude=list(exclude),
        append_only=True,
        meta={"verbose_name": verbose_name, "verbose_name_plural": verbose_name},
    )
