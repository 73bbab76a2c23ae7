//! Annals: generated gRPC code and its conversions
