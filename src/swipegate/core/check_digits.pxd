from libc.stdint cimport uint8_t

# Numbers of the enum CheckDigit of protos/swipegate/v1/card_format.proto; a test holds them to it.
cdef enum:
    CHECK_NONE = 0
    CHECK_LUHN = 1
    CHECK_WEIGHTED_MOD10 = 2
    CHECK_WEIGHTED_MOD11 = 3
    CHECK_GS1 = 4
    CHECK_ABA_ROUTING = 5
    CHECK_MOD11_2_TO_7 = 6
    CHECK_ISO7064_MOD11_2 = 7
    CHECK_ISO7064_MOD11_10 = 8
    CHECK_ISO7064_MOD97_10 = 9
    CHECK_ISO7064_MOD37_36 = 10
    CHECK_SCHEMES = 11

cdef enum:
    MAX_WEIGHTS = 16
    MAX_WEIGHT = 99

cdef bint check_agrees(
    int scheme, const uint8_t *weights, int weight_count, const char *text, Py_ssize_t length) noexcept nogil
