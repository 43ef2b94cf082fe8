"""Frames of devices with a handshake, as their sources have them: (text, frame in hex)."""

# Sankyo ICT3Q8 / MCT3Q8-3A0264 interface specification; the CRC of its annex is CRC-16/XMODEM.
SANKYO_COMMANDS = [
    (b"C10", "f20003433130c52a"),
    (b"C11", "f20003433131d50b"),
    (b"C12", "f20003433132e568"),
    (b"C13", "f20003433133f549"),
    (b"C20", "f200034332309079"),
    (b"C:1", "f20003433a3109f1"),
    (b"C:2", "f20003433a323992"),
    (b"C30", "f20003433330a348"),
    (b"C40", "f200034334303adf"),
    (b"C62", "f200034336327cff"),
    (b"C66", "f200034336363c7b"),
    (b"C67", "f200034336372c5a"),
    (b"C6:", "f2000343363afdf7"),
    (b"CT030", "f200054354303330626a"),
    (b"C0032400001000", "f2000e4330303332343030303031303030b299"),
]
SANKYO_RESPONSES = [
    (b"P0000", "f2000550303030304e92"),
    (b"N0002", "f200054e30303032a522"),
    (b"P1002", "f2000550313030321864"),
    (b"P1100@", "f200065031313030407 7a9".replace(" ", "")),
    (b"P:200", "f20005503a3230304859"),
    (b"N6224", "f200054e36323234ea7f"),
    (b"N3010", "f200054e333031302d8d"),
    (b"NT046", "f200054e54303436ba41"),
]

# OMRON 3S4YR-MVFW(DL), GB-H-97135(A4) 1.3 and 1.4: XOR of the text and the ETX, without the DLEs that are added;
# worked out by hand. The last ones have the BCC that looks like a control code, and DLEs in the text.
OMRON_TEXTS = [
    (b"C10", "1002433130100341"),
    (b"C6A7", "100243364137100300"),
    (b"N6243", "10024e3632343310034e"),
    (b"CP", "10024350100310"),
    (b"CB", "10024342100302"),
    (b"CC", "10024343100303"),
    (b"\x10", "10021010100313"),
    (b"A\x10\x03\x10\x10\x02", "1002411010031010101002100353"),
]

# Creator CRT-310 communication protocol V3.0: XOR of all bytes from 02 to 03; worked out by hand.
CRT310_TEXTS = [
    (b"\x30\x30", "02000230300303"),
    (b"\x31\x30", "02000231300302"),
    (b"\x2f\x31\x31", "0200032f3131032d"),
    (b"\x45\x30\x30\x31", "020004453030310371"),
    (b"\x32\x31Y", "0200033231590358"),
    (b"\x4e\x45\x02", "0200034e4502030b"),
]

# Creator CRT-591-M communication protocol, version 1.0; the check is the exclusive or of all bytes before it.
CRT591_COMMANDS = [
    (b"C03", "f200000343303303b2"),
    (b"C00", "f200000343303003b1"),
    (b"C21", "f200000343323103b2"),
    (b"C29", "f200000343323903ba"),
    (b"C\xa40", "f200000343a4300325"),
]
CRT591_RESPONSES = [
    (b"P03020CRT-591-M001", "f20000125030333032304352542d3539312d4d3030310386"),
    (b"P10010", "f20000065031303031300397"),
    (b"N21A0", "f20000054e3231413003c8"),
    (b"N10B0", "f20000054e3130423003c9"),
]
