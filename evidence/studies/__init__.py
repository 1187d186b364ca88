"""The studies by name: which configurations each of them runs, at full scale and as a quick miniature."""

from evidence.studies import beyond, ff_cnn, mlp, mono_forward, speedrun, tables
from evidence.studies.catalogue import Study, change

__all__ = ["STUDIES", "Study", "change", "find"]

PAPERS = mlp, ff_cnn, beyond, mono_forward, tables, speedrun
STUDIES: dict[str, Study] = {study.name: study for paper in PAPERS for study in paper.STUDIES}


def find(study: Study | str) -> Study:
    """The study of this name, or the one given. Raises ValueError for a name that no study has."""
    if isinstance(study, str) and study not in STUDIES:
        raise ValueError(f"no study {study!r}; there are: {', '.join(STUDIES)}")
    return STUDIES[study] if isinstance(study, str) else study
