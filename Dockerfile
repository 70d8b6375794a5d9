# syntax=docker/dockerfile:1
# The tracker on the processor:
#   docker build -t propnet-track .
#   docker run --rm -v "$PWD:/data" propnet-track video.mp4 --out annotated.mp4
# With TensorRT on an NVIDIA GPU (never built, never run):
#   docker build -t propnet-track:cuda --build-arg EXTRAS=[rtx] --build-arg CUDA=1 .
#   docker run --rm --gpus all -v "$PWD:/data" propnet-track:cuda video.mp4 --out annotated.mp4
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ARG EXTRAS=
ARG CUDA=
# pycuda is compiled, against the headers of the CUDA toolkit, which PyPI has as well.
RUN if [ -n "$CUDA" ]; then apt-get update && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*; fi
WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE constraints.txt ./
COPY model model
COPY tracker tracker
COPY train train
COPY export export
RUN python -m venv /opt/propnet \
    && /opt/propnet/bin/pip install --no-cache-dir -c constraints.txt ".${EXTRAS}" \
    # A server has no screen, and no libGL.so.1.
    && /opt/propnet/bin/pip uninstall --yes opencv-python \
    && /opt/propnet/bin/pip install --no-cache-dir opencv-python-headless==5.0.0.93
RUN if [ -n "$CUDA" ]; then \
    /opt/propnet/bin/pip install --no-cache-dir nvidia-cuda-runtime nvidia-cuda-nvcc \
    && CUDA_ROOT="$(/opt/propnet/bin/python -c 'import nvidia, pathlib; print(next(pathlib.Path(nvidia.__path__[0]).rglob("cuda.h")).parents[1])')" \
    && CUDA_ROOT="$CUDA_ROOT" /opt/propnet/bin/pip install --no-cache-dir pycuda; fi

FROM python:${PYTHON}-slim
# The files that it writes belong to this user; --user "$(id -u):$(id -g)" makes them yours.
RUN useradd --create-home --uid 1000 propnet && mkdir /data && chown propnet /data
COPY --from=build /opt/propnet /opt/propnet
# Built TensorRT engines are kept in a volume mounted there, and nowhere else.
ENV PATH=/opt/propnet/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PROPNET_CACHE=/tmp/propnet
USER propnet
WORKDIR /data
ENTRYPOINT ["propnet-track"]
CMD ["--help"]
