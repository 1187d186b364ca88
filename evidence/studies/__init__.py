"""The studies by name: which configurations each of them runs, at full scale and as a quick miniature."""

from evidence.studies import beyond, ff_cnn, mlp, mono_forward, tables
from evidence.studies.catalogue import Study

__all__ = ["STUDIES", "Study"]

STUDIES: dict[str, Study] = mlp.STUDIES | ff_cnn.STUDIES | beyond.STUDIES | mono_forward.STUDIES | tables.STUDIES
