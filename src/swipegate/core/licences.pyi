"""Driving licences of North America (AAMVA, magnetic stripe); its functions are the track stage's."""
