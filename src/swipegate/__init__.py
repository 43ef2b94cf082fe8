"""Swipegate: card requests on magstripe devices and card assignment, over gRPC."""
