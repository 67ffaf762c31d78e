# The image of `netreeve serve` and `netreeve control`: an interpreter, the locked packages, nothing
# else; no shell, no package manager. Name the base by digest for an image that can be built again:
#
#   docker build --build-arg PYTHON=python:3.13-slim@sha256:... --build-arg VERSION=0.1.0 -t netreeve .
#
# The paths in the RUN lines are relative, so that tests/deploy/test_image.py runs the same lines.
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY deploy/requirements.txt deploy/build-requirements.txt deploy/image/rootfs.py ./
RUN python3 -m pip install --require-hashes --only-binary=:all: --target packages -r requirements.txt
RUN python3 -m pip install --require-hashes --only-binary=:all: --target backend -r build-requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY webhook webhook
COPY policies policies
COPY certs certs
RUN PYTHONPATH="$PWD/backend" python3 -m pip install --no-deps --no-build-isolation --no-index --target packages .
RUN python3 rootfs.py rootfs packages

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="netreeve" \
      org.opencontainers.image.description="Network admission gate for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /build/rootfs /
# Safe path: nothing is imported from where a process happens to run.
ENV PATH=/usr/bin PYTHONPATH=/app PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8443 8080
ENTRYPOINT ["python3", "-m", "webhook"]
CMD ["serve"]
