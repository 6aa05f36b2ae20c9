#include "source/extensions/geoip_providers/maxmind/provider.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "envoy/extensions/geoip_providers/maxmind/v3/maxmind.pb.h"
#include "source/config/geoip_provider_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/geoip_providers/maxmind/factory.h"
#include "source/worker/test_worker.h"
#include "test/support/files/scratch_folder.h"

namespace sluice::extensions::geoip_providers::maxmind {
namespace {

using Proto = envoy::extensions::geoip_providers::maxmind::v3::MaxMindConfig;
using Told = std::map<std::string, std::string>;

// Written by test/support/harness/mmdb.py.
const std::string kData = "source/extensions/geoip_providers/maxmind/testdata/";
const std::string kMadeUp = kData + "made_up.mmdb";
const std::string kIpv4 = kData + "ipv4.mmdb";

// A copy of a file, in a folder of its own.
struct Copy {
  explicit Copy(const std::string& of) { become(of); }
  // As `mv` does it.
  void become(const std::string& of) const {
    std::filesystem::copy_file(of, path + ".new");
    std::filesystem::rename(path + ".new", path);
  }

  const test::ScratchFolder folder;
  const std::string path = folder / "copy.mmdb";
};

struct World : config::testing::TestWorld {
  World() { registerFactory(registry); }

  std::shared_ptr<const geoip::Provider> compile(const std::string& yaml) {
    Proto proto;
    const auto* factory = registry.geoip_providers.find(Proto::descriptor()->full_name());
    if (!load(yaml, proto)) return nullptr;
    return holding.tie(factory->compile(proto, holding.context(at, "http.p.")));
  }
  Told of(const geoip::Provider& provider, const char* ip) {
    Told told;
    provider.lookUp(*net::Address::fromIp(ip, 80), worker,
                    [&](size_t name, std::string_view value) { told[provider.names()[name]] = std::string(value); });
    return told;
  }
  uint64_t counted(const std::string& name) {
    return worker.cells.read(holding.stats().counter("http.p.maxmind." + name).id);
  }

  config::Holding holding{services};
  worker::testing::TestWorker worker;
};

// What is told of the address.
Told told(const std::string& yaml, const char* ip) {
  World world;
  const auto provider = world.compile(yaml);
  INFO(world.problems());
  REQUIRE(provider);
  return world.of(*provider, ip);
}

std::string problems(const std::string& yaml) {
  World world;
  CHECK(world.compile(yaml) == nullptr);
  return world.problems();
}

std::string keys(const std::string& fields) {
  return "common_provider_config: {geo_field_keys: {" + fields + "}}\n";
}

const std::string kAllFiles = "{city_db_path: " + kMadeUp + ", asn_db_path: " + kMadeUp + ", isp_db_path: " + kMadeUp +
                              ", anon_db_path: " + kMadeUp + ", ";
const std::string kAllKeys =
    "common_provider_config: {geo_field_keys: {country: country, city: city, region: region, asn: asn, asn_org: org, "
    "isp: isp, apple_private_relay: relay, anon: anon, anon_vpn: vpn, anon_hosting: hosting, anon_tor: tor, "
    "anon_proxy: proxy}}}";

TEST_CASE("every field tells what the databases say under its name") {
  CHECK(told(kAllFiles + kAllKeys, "192.0.2.1") == Told{{"country", "AQ"},
                                                        {"city", "Ice Town"},
                                                        {"region", "SP"},
                                                        {"asn", "64496"},
                                                        {"org", "Example Networks"},
                                                        {"isp", "Example Access"},
                                                        {"relay", "false"},
                                                        {"anon", "true"},
                                                        {"vpn", "true"},
                                                        {"hosting", "false"}});
  CHECK(told(kAllFiles + kAllKeys, "192.0.2.200") ==
        Told{{"country", "BV"}, {"isp", "iCloud Private Relay"}, {"relay", "true"}, {"tor", "true"}});
  CHECK(told(kAllFiles + kAllKeys, "2001:db8:1::2") == Told{{"country", "HM"}, {"relay", "false"}, {"proxy", "true"}});
}

TEST_CASE("nothing is told of what is not there or of another kind") {
  CHECK(told(kAllFiles + kAllKeys, "10.0.0.1") == Told{});
  CHECK(told(kAllFiles + kAllKeys, "203.0.113.1") == Told{{"relay", "false"}});
  CHECK(told(kAllFiles + kAllKeys, "198.51.100.1") == Told{{"city", "Two\r\nLines"}, {"relay", "false"}});
}

TEST_CASE("the country's own database and that of autonomous systems come first") {
  const std::string asked = keys("country: c, asn: a");
  CHECK(told(asked + "city_db_path: " + kMadeUp + "\ncountry_db_path: " + kIpv4 + "\nisp_db_path: " + kMadeUp,
             "192.0.2.1") == Told{{"c", "IO"}, {"a", "64496"}});
  CHECK(told(asked + "country_db_path: " + kMadeUp + "\nasn_db_path: " + kIpv4 + "\nisp_db_path: " + kMadeUp,
             "192.0.2.1") == Told{{"c", "AQ"}});
}

TEST_CASE("the older form of names holds where there is no newer one") {
  const std::string files = "city_db_path: " + kMadeUp + "\nanon_db_path: " + kMadeUp + "\n";
  const auto headers = [&](const std::string& fields, const std::string& more = "") {
    return files + "common_provider_config: {geo_headers_to_add: {" + fields + "}" + more + "}";
  };

  CHECK(told(headers("country: X-Country, is_anon: x-anon"), "192.0.2.1") ==
        Told{{"X-Country", "AQ"}, {"x-anon", "true"}});
  CHECK(told(headers("anon: new, is_anon: old"), "192.0.2.1") == Told{{"new", "true"}});
  CHECK(told(headers("country: old", ", geo_field_keys: {country: new}"), "192.0.2.1") == Told{{"new", "AQ"}});
}

TEST_CASE("look-ups, hits and failures are counted by database") {
  World world;
  const auto provider =
      world.compile(keys("country: c, asn: a") + "city_db_path: " + kIpv4 + "\nasn_db_path: " + kMadeUp);
  REQUIRE(provider);

  for (const char* ip : {"192.0.2.1", "10.0.0.1", "2001:db8::1"}) world.of(*provider, ip);

  CHECK(world.counted("city_db.total") == 3);
  CHECK(world.counted("city_db.hit") == 1);
  CHECK(world.counted("city_db.lookup_error") == 1);  // it has no IPv6 addresses
  CHECK(world.counted("asn_db.total") == 3);
  CHECK(world.counted("asn_db.hit") == 1);
  CHECK(world.counted("asn_db.lookup_error") == 0);
}

TEST_CASE("what cannot work is refused") {
  const std::string city = "city_db_path: " + kMadeUp + "\n";
  CHECK_THAT(problems(keys("country: c")), Catch::Contains("geo_field_keys.country: is in no database") &&
                                               Catch::Contains("set country_db_path or city_db_path"));
  CHECK_THAT(problems(city + keys("anon_tor: t")), Catch::Contains("anon_tor: is in no database"));
  CHECK_THAT(problems(city + "common_provider_config: {geo_headers_to_add: {is_anon: a}}"),
             Catch::Contains("geo_headers_to_add.is_anon: is in no database"));
  CHECK_THAT(problems(city + keys("country: c, city: c")), Catch::Contains("is the name of another fact"));
  CHECK_THAT(problems(city + keys("")), Catch::Contains("names nothing"));
  CHECK_THAT(problems("city_db_path: /etc/passwd\n" + keys("city: c")), Catch::Contains("city_db_path"));
  CHECK_THAT(problems(city), Catch::Contains("common_provider_config"));
}

TEST_CASE("a file that is no database is refused with its name and the reason") {
  const Copy copy(kMadeUp);
  const auto refusal = [&] { return problems("city_db_path: " + copy.path + "\n" + keys("city: c")); };

  std::filesystem::resize_file(copy.path, 1000);
  CHECK_THAT(refusal(), Catch::Contains("city_db_path: " + copy.path + " is no MaxMind database: "));
  std::filesystem::resize_file(copy.path, 0);
  CHECK_THAT(refusal(), Catch::Contains(copy.path + " is no MaxMind database"));
  std::filesystem::remove(copy.path);
  CHECK_THAT(refusal(), Catch::Contains(copy.path + " cannot be opened: No such file"));
  std::filesystem::create_directory(copy.path);
  CHECK_THAT(refusal(), Catch::Contains(copy.path + " cannot be read: is no regular file"));
}

TEST_CASE("a file may be cut while it is used") {
  const Copy copy(kMadeUp);
  World world;
  const auto provider = world.compile("city_db_path: " + copy.path + "\n" + keys("city: c"));
  REQUIRE(provider);

  std::filesystem::resize_file(copy.path, 0);

  CHECK(world.of(*provider, "192.0.2.1") == Told{{"c", "Ice Town"}});
}

// A file that is read as main does it, and what is counted of that.
struct Watched {
  explicit Watched(const std::string& path)
      : file(path, {scope, scope->counter("success"), scope->counter("error"), scope->gauge("epoch"), &worker.cells},
             &logger, worker::LocalSlots()) {}

  std::string countryOf(const char* ip) {
    const Database::Record record = file.current(worker).find(*net::Address::fromIp(ip, 0));
    static const char* const kCountry[] = {"country", "iso_code", nullptr};
    return record.entry ? Database::valueOf(*record.entry, kCountry) : "none";
  }
  int64_t stat(const char* name) { return worker.stat(name); }

  std::string log;
  observability::Logger logger{observability::LogLevel::kWarning, [this](std::string_view line) { log += line; }};
  worker::testing::TestWorker worker;
  const observability::StatsScope scope = std::make_shared<observability::Scope>(worker.registry.root());
  DatabaseFile file;
};

TEST_CASE("a new version of a file serves once it is there") {
  const Copy copy(kMadeUp);
  Watched watched(copy.path);
  REQUIRE(watched.file.read().ok());
  CHECK(watched.countryOf("192.0.2.1") == "AQ");
  CHECK(watched.stat("epoch") == 1'700'000'000);

  copy.become(kIpv4);
  watched.file.readAgain();

  CHECK(watched.countryOf("192.0.2.1") == "IO");
  CHECK(watched.stat("epoch") == 1'800'000'000);
  CHECK(watched.stat("success") == 1);
}

TEST_CASE("a version that cannot be used changes nothing, and is told once") {
  const Copy copy(kMadeUp);
  Watched watched(copy.path);
  REQUIRE(watched.file.read().ok());

  std::filesystem::resize_file(copy.path, 500);
  watched.file.readAgain();
  watched.file.readAgain();

  CHECK(watched.countryOf("192.0.2.1") == "AQ");
  CHECK(watched.stat("epoch") == 1'700'000'000);
  CHECK(watched.stat("error") == 1);
  CHECK_THAT(watched.log, Catch::Contains(copy.path + " is no MaxMind database") &&
                              Catch::Contains("what was read before serves on"));
  std::filesystem::remove(copy.path);
  watched.file.readAgain();
  CHECK(watched.countryOf("192.0.2.1") == "AQ");
  CHECK(watched.stat("error") == 2);
  copy.become(kIpv4);
  watched.file.readAgain();
  CHECK(watched.countryOf("192.0.2.1") == "IO");
  CHECK(watched.stat("success") == 1);
}

TEST_CASE("a file that is as it was is not read again") {
  const Copy copy(kMadeUp);
  Watched watched(copy.path);
  REQUIRE(watched.file.read().ok());
  const Database* const before = &watched.file.current(watched.worker);

  watched.file.readAgain();

  CHECK(&watched.file.current(watched.worker) == before);
  CHECK(watched.stat("success") == 0);
}

TEST_CASE("all that name a file share one copy of it") {
  World world;
  const std::string yaml = "city_db_path: " + kMadeUp + "\n" + keys("city: c");
  const auto first = world.compile(yaml);
  const auto second = world.compile(yaml);

  CHECK(world.services.objects.size() == 1);
  CHECK(world.of(*second, "192.0.2.1") == world.of(*first, "192.0.2.1"));
}

}  // namespace
}  // namespace sluice::extensions::geoip_providers::maxmind
