#include "source/extensions/filters/http/basic_auth/factory.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/basic_auth/v3/basic_auth.pb.h"
#include "source/config/followed_file.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/config/thread_pool.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/basic_auth/filter.h"

namespace sluice::extensions::http_filters::basic_auth {
namespace {

namespace v3 = envoy::extensions::filters::http::basic_auth::v3;
using envoy::config::core::v3::DataSource;

constexpr size_t kMaxThreads = 4;

// Null after reporting.
std::shared_ptr<const Users> readUsers(const DataSource& source, const config::FactoryContext& context) {
  const auto text = config::compileDataSource(source, context.at);
  if (!text) return nullptr;
  auto users = Users::parse(*text, context.services.local_slots);
  if (users.ok()) return *std::move(users);
  context.at.error(absl::StrCat(source.filename(), source.filename().empty() ? "" : ": ", users.status().message()));
  return nullptr;
}

// Null after reporting.
std::shared_ptr<const UserSource> compileUsers(const DataSource& source, const config::FactoryContext& context) {
  DataSource content = source;
  content.clear_watched_directory();
  // Of tables that many connection managers share nothing is counted.
  const std::string stats = context.owner.empty() ? "" : context.owner + "basic_auth.";
  return config::readAndFollow<Users>(
      source, {.what = "basic_auth: the users", .stats = stats}, context,
      [content](const config::FactoryContext& read) { return readUsers(content, read); });
}

class Factory : public config::RoutedHttpFilterOf<v3::BasicAuth, v3::BasicAuthPerRoute> {
 public:
  config::HttpFilterPtr makeFilter(const v3::BasicAuth& proto, const config::FactoryContext& context) const override {
    const auto counter = [&](const char* name) {
      return context.stats->counter(absl::StrCat(context.owner, "basic_auth.", name));
    };
    Settings out;
    out.users = compileUsers(proto.users(), context.child("users"));
    const auto header = [&](const std::string& name, const char* field, std::string& to) {
      if (!name.empty()) to = config::compileHeaderName(name, context.at.child(field));
    };
    header(proto.forward_username_header(), "forward_username_header", out.forward_header);
    header(proto.authentication_header(), "authentication_header", out.header);
    out.allow_missing = proto.allow_missing();
    out.emit_metadata = proto.emit_dynamic_metadata();
    out.pool = context.services.objects.get<worker::ThreadPool>("password hashes", [&context] {
      return config::makeThreadPool(config::computingPoolSize(kMaxThreads), context.services);
    });
    out.allowed = counter("allowed");
    out.denied = counter("denied");
    out.overflow = counter("overflow");
    return std::make_shared<FilterFactory>(std::move(out));
  }

  config::RouteConfigPtr makeRouteConfig(const v3::BasicAuthPerRoute& proto,
                                         const config::FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(compileUsers(proto.users(), context.child("users")));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::basic_auth
