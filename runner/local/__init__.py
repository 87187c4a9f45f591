"""The embedded model: real weights, checked by hash, served by a process of ours on loopback.

The gateway calls it over HTTP like any other OpenAI-compatible provider, so that a run on
`local/smollm2` takes the same path as a run on a paid model. The model has 135 million
parameters: it shows that the loop works and says nothing about any policy.
"""

from runner.local.models import LocalModels
from runner.local.server import LocalServer
from runner.local.weights import MODELS, Weights

__all__ = ["MODELS", "LocalModels", "LocalServer", "Weights"]
