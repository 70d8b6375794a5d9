# syntax=docker/dockerfile:1
# The tracker on the processor:
#   docker build -t propnet-track .
#   docker run --rm -v "$PWD:/data" propnet-track video.mp4 --out annotated.mp4
# With TensorRT on an NVIDIA GPU (never built, never run; GPU is tensorrt or rtx, see docs/gpu.md):
#   docker build -t propnet-track:gpu --build-arg GPU=tensorrt \
#     --build-arg BUILD=nvidia/cuda:13.0.0-devel-ubuntu24.04 --build-arg RUN=ubuntu:24.04 .
#   docker run --rm --gpus all -v "$PWD:/data" propnet-track:gpu video.mp4 --out annotated.mp4
ARG BUILD=python:3.11-slim
ARG RUN=python:3.11-slim

FROM ${BUILD} AS build
ARG GPU=
# pycuda is compiled against the CUDA toolkit, which such a base image has.
RUN if [ -n "$GPU" ]; then apt-get update \
    && apt-get install --yes --no-install-recommends g++ python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*; fi
WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE constraints.txt ./
COPY model model
COPY tracker tracker
COPY train train
COPY export export
# A server has no screen, and no libGL.so.1: OpenCV without windows, in the same version.
RUN python3 -m venv /opt/propnet \
    && PATH="/usr/local/cuda/bin:$PATH" CUDA_ROOT=/usr/local/cuda \
    /opt/propnet/bin/pip install --no-cache-dir -c constraints.txt ".${GPU:+[$GPU]}" ${GPU:+pycuda} \
    && version=$(sed -n 's/^opencv-python==//p' constraints.txt) \
    && /opt/propnet/bin/pip uninstall --yes opencv-python \
    && /opt/propnet/bin/pip install --no-cache-dir "opencv-python-headless==$version"

FROM ${RUN}
ARG GPU=
RUN if [ -n "$GPU" ]; then apt-get update && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/*; fi
# No root: /data is to be a folder that this user, or the one given by --user, may write to.
RUN useradd --create-home propnet && mkdir /data && chown propnet /data
COPY --from=build /opt/propnet /opt/propnet
# Mount a volume there to keep the TensorRT engines that are built.
ENV PATH=/opt/propnet/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PROPNET_CACHE=/tmp/propnet
USER propnet
WORKDIR /data
ENTRYPOINT ["propnet-track"]
CMD ["--help"]
