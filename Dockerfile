# syntax=docker/dockerfile:1
# Build: docker build -t capi-sidecar .
# Run:   docker run --read-only -v capi-data:/data -p 8080:8080 \
#          -e CAPI_UPSTREAM=http://site:80 -e CAPI_PIXEL_ID=… -e CAPI_ACCESS_TOKEN=… capi-sidecar

FROM rust:1-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY .cargo ./.cargo
COPY src ./src
# A binary needs no benches or examples; cargo only wants to know that they could be there.
RUN sed -i '/^\[\[bench\]\]/,$d' Cargo.toml \
 && cargo build --release --locked --bin capi-sidecar \
 && mkdir /empty

# glibc, CA certificates, no shell, user 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/capi-sidecar /capi-sidecar
# The store is the only thing that is ever written; its folder must belong to the user.
COPY --from=build --chown=65532:65532 /empty /data
VOLUME /data
ENV CAPI_STORE=sqlite:/data/capi-sidecar.db
EXPOSE 8080
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s CMD ["/capi-sidecar", "health"]
ENTRYPOINT ["/capi-sidecar"]
CMD ["run"]
