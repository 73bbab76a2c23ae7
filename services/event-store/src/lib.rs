//! Annals: the shared log as a gRPC and HTTP server
