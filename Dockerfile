# A tag with the Python and Debian releases instead of a digest, so that a rebuild gets Debian's security fixes. The
# provenance of a released image records the digest.
FROM python:3.11.15-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# Dependencies first, because they change less often than the code. Wheels only, so that no code of a dependency runs.
COPY requirements-build.txt requirements.txt ./
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-deps --require-hashes --only-binary :all: -r requirements-build.txt \
    && python -m venv --without-pip /opt/exporter \
    && /opt/build/bin/pip --python /opt/exporter/bin/python install --no-deps --require-hashes --only-binary :all: -r requirements.txt \
    && /opt/build/bin/pip --python /opt/exporter/bin/python check
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
# exporter/share links to these.
COPY prometheus/rules prometheus/rules
COPY grafana/dashboards grafana/dashboards
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/build/bin/pip --python /opt/exporter/bin/python install --no-deps --no-index dist/*.whl

FROM python:3.11.15-slim-trixie
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="anthropic-exporter" \
    org.opencontainers.image.description="Prometheus exporter for what Claude and Claude Code cost an organisation, and who uses them" \
    org.opencontainers.image.source="https://github.com/anthropic-exporter/anthropic-exporter" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/exporter /opt/exporter
COPY deploy/healthcheck.py /opt/exporter/healthcheck.py
RUN install -d -o 65532 -g 65532 -m 0700 /data
ENV PATH=/opt/exporter/bin:$PATH PYTHONDONTWRITEBYTECODE=1 EXPORTER_DATA_DIR=/data EXPORTER_LISTEN_ADDRESS=:10918
# A number, because Kubernetes cannot tell whether a name is root.
USER 65532:65532
VOLUME ["/data"]
EXPOSE 10918
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --start-interval=2s \
    CMD ["python", "-I", "/opt/exporter/healthcheck.py"]
ENTRYPOINT ["anthropic-exporter"]
CMD ["serve"]
