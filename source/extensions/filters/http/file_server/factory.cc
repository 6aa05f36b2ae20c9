#include "source/extensions/filters/http/file_server/factory.h"

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/file_server/v3/file_server.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/file_server/filter.h"
#include "source/http/rules.h"

namespace sluice::extensions::http_filters::file_server {
namespace {

using Proto = envoy::extensions::filters::http::file_server::v3::FileServerConfig;

// A quarter of the descriptors: connections need the others.
uint32_t mostOpenFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
  return static_cast<uint32_t>(std::clamp<rlim_t>(limit.rlim_cur / 4, 1, 1 << 20));
}

void compileMappings(const Proto& proto, const config::Context& at, Settings& out) {
  std::set<std::string> seen;
  for (int i = 0; i < proto.path_mappings_size(); ++i) {
    const auto& mapping = proto.path_mappings(i);
    const config::Context mapping_at = at.child("path_mappings", static_cast<size_t>(i));
    const config::Context prefix_at = mapping_at.child("request_path_prefix");
    if (mapping.request_path_prefix()[0] != '/') prefix_at.error("matches no path; begin it with a slash");
    if (!seen.insert(mapping.request_path_prefix()).second) {
      prefix_at.error(absl::StrCat(mapping.request_path_prefix(), " is mapped twice; remove one"));
    }
    const std::string& file_prefix = mapping.file_path_prefix();
    if (file_prefix.find('\0') != std::string::npos) {
      mapping_at.child("file_path_prefix").error("has a NUL byte, which no name of a file has");
    } else if (std::error_code error; !std::filesystem::exists(file_prefix, error)) {
      mapping_at.child("file_path_prefix")
          .warn(absl::StrCat(file_prefix, " is not there; requests are answered 404 until it is"));
    }
    out.mappings.push_back({mapping.request_path_prefix(), file_prefix});
  }
  std::stable_sort(out.mappings.begin(), out.mappings.end(), [](const Mapping& a, const Mapping& b) {
    return a.request_prefix.size() > b.request_prefix.size();
  });
}

void compileTypes(const Proto& proto, const config::Context& at, Settings& out) {
  constexpr std::string_view kBad = "has a control character, which no header may have";
  for (const auto& [suffix, type] : proto.content_types()) {
    if (!http::validValue(type)) at.entry("content_types", suffix).error(kBad);
    out.content_types.emplace(suffix, type);
  }
  if (!http::validValue(proto.default_content_type())) at.child("default_content_type").error(kBad);
  out.default_content_type = proto.default_content_type();
}

void compileFolders(const Proto& proto, const config::Context& at, Settings& out) {
  for (int i = 0; i < proto.directory_behaviors_size(); ++i) {
    const auto& behavior = proto.directory_behaviors(i);
    const config::Context behavior_at = at.child("directory_behaviors", static_cast<size_t>(i));
    const std::string& name = behavior.default_file();
    if (!name.empty() && behavior.has_list()) {
      behavior_at.error("has both a default_file and list; make two entries of them, which are tried in order");
    } else if (name.empty() && !behavior.has_list()) {
      behavior_at.error("needs either a default_file or list");
    } else if (name == "." || name == ".." || name.find('\0') != std::string::npos) {
      behavior_at.child("default_file").error("is no name of a file");
    } else if (std::find(out.folder_behaviors.begin(), out.folder_behaviors.end(), name) !=
               out.folder_behaviors.end()) {
      behavior_at.error("is there twice; remove one");
    }
    out.folder_behaviors.push_back(name);
  }
}

Settings compileSettings(const Proto& proto, const config::FactoryContext& context) {
  Settings out;
  compileMappings(proto, context.at, out);
  compileTypes(proto, context.at, out);
  compileFolders(proto, context.at, out);
  out.places = context.services.objects.get<base::SharedLimit>(
      "open files of file_server", [] { return std::make_shared<base::SharedLimit>(mostOpenFiles()); });
  return out;
}

class Factory : public config::RoutedHttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context));
  }

  config::RouteConfigPtr makeRouteConfig(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(compileSettings(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::file_server
