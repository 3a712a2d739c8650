# whyrec's service. Build: docker build -t whyrec . — Run: see compose.yaml and docs/operations.md.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY recall recall
COPY prompts prompts
COPY rerank rerank
COPY evals evals
COPY api api
RUN python -m venv /opt/whyrec \
 && /opt/whyrec/bin/pip install --no-cache-dir -c constraints.txt '.[embedded]'

FROM python:3.12-slim
# libgomp: implicit, lightgbm and openvino are compiled with OpenMP.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin whyrec \
 && mkdir /data && chown whyrec /data
COPY --from=build /opt/whyrec /opt/whyrec
ENV PATH=/opt/whyrec/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    MPLCONFIGDIR=/tmp/matplotlib \
    WHYREC_CONFIG=/etc/whyrec/whyrec.toml \
    WHYREC_WORKSPACE=/data/workspace \
    WHYREC_MODELS=/data/models
USER whyrec
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/health/live', timeout=4)"]
ENTRYPOINT ["whyrec"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
