# The console command with all that it needs, on the CPU:
#   docker build -t mmlabelpenet .
#   docker run --rm -v "$PWD:/data" -w /data mmlabelpenet predict photo.jpg
# With CUDA (13.0, that of the torch build; TORCH_CUDA_ARCH_LIST names the GPUs):
#   docker build -t mmlabelpenet:cuda --build-arg DEVICE=cuda \
#       --build-arg BASE=nvidia/cuda:13.0.1-devel-ubuntu24.04 .
#   docker run --rm --gpus all -v "$PWD:/data" -w /data mmlabelpenet:cuda predict photo.jpg
ARG BASE=debian:12-slim
FROM ${BASE}

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# The versions are those of the base image's release.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        build-essential python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/mmlabelpenet
COPY . .
ARG DEVICE=cpu
ARG TORCH_CUDA_ARCH_LIST="8.0;8.6;8.9;9.0"
RUN TORCH_CUDA_ARCH_LIST="$TORCH_CUDA_ARCH_LIST" PIP_NO_CACHE_DIR=1 \
    make install DEVICE="$DEVICE"

ENV PATH=/opt/mmlabelpenet/.venv/bin:$PATH
ENTRYPOINT ["mmlabelpenet"]
CMD ["--help"]
