#include "source/extensions/geoip_providers/maxmind/factory.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/geoip_providers/common/v3/common.pb.h"
#include "envoy/extensions/geoip_providers/maxmind/v3/maxmind.pb.h"
#include "source/base/text.h"
#include "source/config/file_watch.h"
#include "source/config/geoip_provider_factory.h"
#include "source/extensions/geoip_providers/maxmind/provider.h"

namespace sluice::extensions::geoip_providers::maxmind {
namespace {

using Proto = envoy::extensions::geoip_providers::maxmind::v3::MaxMindConfig;

// What may be told: the field that says under which name (empty: it is not), the databases that know it, the best
// first, and where.
struct Wanted {
  const char* field;
  const std::string& name;
  std::vector<const char*> databases;
  Fact fact;
};

// `keys` of either form; `anon` is called differently there.
template <typename Keys>
std::vector<Wanted> wantedOf(const Keys& keys, const char* anon_field, const std::string& anon) {
  const auto of_anon = [](const char* field, const std::string& name, const char* key) {
    return Wanted{field, name, {"anon_db"}, {.path = {key}}};
  };
  return {
      {"country", keys.country(), {"country_db", "city_db"}, {.path = {"country", "iso_code"}}},
      {"city", keys.city(), {"city_db"}, {.path = {"city", "names", "en"}}},
      {"region", keys.region(), {"city_db"}, {.path = {"subdivisions", "0", "iso_code"}}},
      {"asn", keys.asn(), {"asn_db", "isp_db"}, {.path = {"autonomous_system_number"}}},
      {"asn_org", keys.asn_org(), {"asn_db", "isp_db"}, {.path = {"autonomous_system_organization"}}},
      {"isp", keys.isp(), {"isp_db"}, {.path = {"isp"}}},
      {"apple_private_relay", keys.apple_private_relay(), {"isp_db"}, {.path = {"isp"}, .is_private_relay = true}},
      of_anon(anon_field, anon, "is_anonymous"),
      of_anon("anon_vpn", keys.anon_vpn(), "is_anonymous_vpn"),
      of_anon("anon_hosting", keys.anon_hosting(), "is_hosting_provider"),
      of_anon("anon_tor", keys.anon_tor(), "is_tor_exit_node"),
      of_anon("anon_proxy", keys.anon_proxy(), "is_public_proxy"),
  };
}

// The file at `path` as the database `kind`, with its watch; null after reporting.
std::shared_ptr<const DatabaseFile> openFile(const std::string& kind, const std::string& path,
                                             const config::FactoryContext& context) {
  config::Services& services = context.services;
  return services.objects.get<DatabaseFile>(absl::StrCat(kind, " ", path), [&]() -> std::shared_ptr<DatabaseFile> {
    const auto scope = std::make_shared<observability::Scope>(services.stats.root());
    const std::string prefix = absl::StrCat("maxmind.", kind, ".", path, ".");
    auto file = std::make_shared<DatabaseFile>(
        path,
        DatabaseFile::Stats{scope, scope->counter(prefix + "db_reload_success"),
                            scope->counter(prefix + "db_reload_error"), scope->gauge(prefix + "db_build_epoch"),
                            services.main == nullptr ? nullptr : &services.main->cells},
        services.logger, services.local_slots);
    const config::ErrorMark mark(context.at);
    const std::string directory = std::filesystem::path(path).parent_path().string();
    const auto on_change = [weak = std::weak_ptr(file)] {
      if (const auto changed = weak.lock()) changed->readAgain();
    };
    // Before the file is read, so that no change comes between.
    file->setWatch(config::watchDirectory(directory.empty() ? "." : directory, services, on_change, context.at));
    if (mark.hit()) return nullptr;
    const absl::Status status = file->read();
    if (!status.ok()) context.at.error(base::toStd(status.message()));
    return status.ok() ? file : nullptr;
  });
}

class Compiler {
 public:
  Compiler(const Proto& proto, const config::FactoryContext& context)
      : proto_(proto), context_(context), common_(context.at.child("common_provider_config")) {}

  // Null after reporting.
  std::shared_ptr<const geoip::Provider> compile() {
    const config::ErrorMark mark(context_.at);
    open("city_db", proto_.city_db_path());
    open("country_db", proto_.country_db_path());
    open("asn_db", proto_.asn_db_path());
    open("isp_db", proto_.isp_db_path());
    open("anon_db", proto_.anon_db_path());
    if (mark.hit()) return nullptr;  // no more of what is not there
    addAll();
    if (mark.hit()) return nullptr;
    std::vector<Source> asked;
    for (auto& [kind, source] : sources_) {
      if (!source.facts.empty()) asked.push_back(std::move(source));
    }
    return std::make_shared<Provider>(std::move(names_), std::move(asked));
  }

 private:
  void open(const std::string& kind, const std::string& path) {
    if (path.empty()) return;
    auto file = openFile(kind, path, context_.child(kind + "_path"));
    const auto counter = [&](const char* name) {
      return context_.stats->counter(absl::StrCat(context_.owner, "maxmind.", kind, ".", name));
    };
    sources_.emplace(kind, Source{std::move(file), {}, counter("total"), counter("hit"), counter("lookup_error")});
  }

  void addAll() {
    const auto& common = proto_.common_provider_config();
    if (common.has_geo_field_keys()) {
      if (common.has_geo_headers_to_add()) common_.child("geo_headers_to_add").warn("geo_field_keys takes its place");
      const auto& keys = common.geo_field_keys();
      add(wantedOf(keys, "anon", keys.anon()), common_.child("geo_field_keys"));
    } else {
      const auto& keys = common.geo_headers_to_add();
      const bool older = keys.anon().empty();
      add(wantedOf(keys, older ? "is_anon" : "anon", older ? keys.is_anon() : keys.anon()),
          common_.child("geo_headers_to_add"));
    }
    if (names_.empty()) common_.error("names nothing that is to be told; set fields of geo_field_keys");
  }

  void add(const std::vector<Wanted>& all, const config::Context& at) {
    for (const Wanted& wanted : all) {
      if (!wanted.name.empty()) add(wanted, at.child(wanted.field));
    }
  }

  void add(const Wanted& wanted, const config::Context& at) {
    if (std::find(names_.begin(), names_.end(), wanted.name) != names_.end()) {
      at.error("is the name of another fact, too; give each its own");
    }
    std::string usable;
    for (const char* const kind : wanted.databases) {
      absl::StrAppend(&usable, usable.empty() ? "" : " or ", kind, "_path");
      const auto source = sources_.find(kind);
      if (source == sources_.end()) continue;
      source->second.facts.push_back(wanted.fact);
      source->second.facts.back().name = names_.size();
      names_.push_back(wanted.name);
      return;
    }
    at.error(absl::StrCat("is in no database that is configured; set ", usable));
  }

  const Proto& proto_;
  const config::FactoryContext& context_;
  const config::Context common_;
  std::map<std::string, Source, std::less<>> sources_;
  std::vector<std::string> names_;
};

class Factory : public config::GeoipProviderConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const geoip::Provider> compile(const google::protobuf::Message& message,
                                                 config::FactoryContext context) const override {
    return Compiler(static_cast<const Proto&>(message), context).compile();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.geoip_providers.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::geoip_providers::maxmind
