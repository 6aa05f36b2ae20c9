// Fingerprints of TLS clients, made of their ClientHello: the same software gives the same. Pure.
//
// JA3 (salesforce/ja3): MD5 over version, ciphers, extensions, groups and point formats as the client orders them. JA4
// (FoxIO, JA4: TLS client fingerprinting): what can be read, and hashes over sorted ciphers and extensions, so that a
// client that shuffles its extensions keeps it. GREASE (RFC 8701) counts nowhere.
#pragma once

#include <string>
#include <string_view>

namespace sluice::tls {

// `body`: of a ClientHello that sniffClientHello() has found. Empty if it is none.
std::string ja3Of(std::string_view body);
std::string ja4Of(std::string_view body);

}  // namespace sluice::tls
