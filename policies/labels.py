"""Labels that Kubernetes itself sets, on which everybody can rely."""

from __future__ import annotations

NAME_LABEL = "kubernetes.io/metadata.name"
"""On every namespace: its name. Nobody can change it (pkg/apis/core/v1, SetDefaults_Namespace)."""
SERVICE_OF_SLICE = "kubernetes.io/service-name"
"""On an EndpointSlice: the Service it is of (discovery/v1, LabelServiceName)."""
