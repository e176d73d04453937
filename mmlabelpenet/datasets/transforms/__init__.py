"""Transforms that load images, proposals and masks."""

from .corrected import LoadCorrections
from .corrections import CorrectedObject, name_in, read_corrections
from .formatting import PackWeakInputs
from .ground_truth import LoadTrueInstances
from .labels import LoadLabels, OracleLabels
from .loading import (
    LoadImageFromFile,
    LoadRegionProposals,
    ProposalBroadcaster,
    ProposalSource,
    ProvideRegionProposals,
)
from .masks import LoadInstanceMasks
