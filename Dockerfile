# syntax=docker/dockerfile:1
# The image of a node: `docker build -t shipyard .` (BuildKit). deploy/compose.yaml and deploy/kubernetes/ run it.

# Debian 12 on both sides: the program is linked to the C library of the image that it runs in.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
# The two caches outlive the build, so that a change of the source does not compile the dependencies again. A file in a
# cache is in no image, hence the copy. The program must not come from an earlier build, hence the `touch`.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    touch src/main.rs src/lib.rs \
    && cargo build --release --locked --bin shipyard \
    && cp target/release/shipyard /shipyard

# No shell, no package manager; glibc and libgcc are there. The user is 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /shipyard /usr/bin/shipyard
# An empty folder of the user: there is no data file and no Rocket.toml in it unless one is mounted.
WORKDIR /home/nonroot
USER 65532:65532
# The default, localhost, is that of the container alone. `shipyard health` asks the admin listener.
ENV ROCKET_ADDRESS=0.0.0.0 ROCKET_ADMIN_ADDRESS=127.0.0.1:5001
EXPOSE 5000
# The server ends at SIGTERM: it is process 1, has no children, and so needs no init.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/bin/shipyard", "health"]
ENTRYPOINT ["/usr/bin/shipyard"]
CMD ["serve"]
