#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "source/base/text.h"
#include "source/extensions/geoip_providers/maxmind/database.h"
#include "source/net/socket.h"

using namespace sluice;
using extensions::geoip_providers::maxmind::Database;

// Of what it has read of damaged metadata, libmaxminddb 1.7.1 leaves some kilobytes behind.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libmaxminddb";
}

// Whatever stands in a file, looking addresses up in it comes to an end.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const char* const kPaths[][4] = {
      {"country", "iso_code"}, {"subdivisions", "0", "iso_code"}, {"isp"}, {nullptr}};
  const net::Fd file(::memfd_create("fuzz", MFD_CLOEXEC));
  if (::write(file.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
  const auto database = Database::read(base::strCat("/proc/self/fd/", file.get()));
  if (!database.ok()) return 0;
  for (const char* ip :
       {"192.0.2.1", "192.0.2.200", "203.0.113.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::"}) {
    const Database::Record record = (*database)->find(*net::Address::fromIp(ip, 0));
    if (record.failed && record.entry) std::abort();
    if (!record.entry) continue;
    for (const auto& path : kPaths) (void)Database::valueOf(*record.entry, path);
  }
  return 0;
}
