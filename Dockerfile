# Headrace: workers, producers and dashboard are one image; the command says which.
FROM python:3.12-slim
WORKDIR /app
RUN useradd --system --create-home headrace
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY headrace headrace
COPY producers producers
COPY stream_app stream_app
COPY dashboard dashboard
COPY reporter reporter
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
USER headrace
ENTRYPOINT ["headrace"]
CMD ["--help"]
