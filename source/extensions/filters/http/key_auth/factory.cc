#include "source/extensions/filters/http/key_auth/factory.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "sluice/credentials/v1/consumers.pb.h"
#include "sluice/extensions/filters/http/key_auth/v1/key_auth.pb.h"
#include "source/base/percent.h"
#include "source/config/file_watch.h"
#include "source/config/http_filter_factory.h"
#include "source/config/key_sources.h"
#include "source/config/loader.h"
#include "source/config/route_texts.h"
#include "source/config/validate.h"
#include "source/extensions/filters/http/key_auth/filter.h"
#include "source/filter/metadata_struct.h"

namespace sluice::extensions::http_filters::key_auth {
namespace {

namespace credentials = sluice::credentials::v1;
namespace v1 = sluice::extensions::filters::http::key_auth::v1;

// nullopt: it is not written so. (No rule of the message: its error would tell what may be a key.)
std::optional<filter::KeyDigest> readDigest(std::string_view text) {
  filter::KeyDigest out;
  if (text.size() != 2 * out.size()) return std::nullopt;
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = base::hexValue(text[2 * i]), low = base::hexValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return out;
}

std::optional<WallTime> compileExpiry(const credentials::Key& proto) {
  if (!proto.has_expires()) return std::nullopt;
  return WallTime(std::chrono::seconds(proto.expires().seconds()));
}

void compileConsumer(const credentials::Consumer& proto, const config::Context& at, Consumers& out) {
  if (std::any_of(proto.name().begin(), proto.name().end(), absl::ascii_iscntrl)) {
    at.child("name").error("holds a control character, which no header may; remove it");
  }
  const Consumer* const consumer =
      out.add({proto.name(), {proto.groups().begin(), proto.groups().end()}, filter::readStruct(proto.plan())});
  if (consumer == nullptr) return at.child("name").error("is that of another consumer, too; give each its own");
  for (int i = 0; i < proto.keys_size(); ++i) {
    const credentials::Key& key = proto.keys(i);
    const auto place = [&] { return at.child("keys", static_cast<size_t>(i)); };
    const auto digest = readDigest(key.sha256());
    if (!digest) {
      place().child("sha256").error("is no SHA-256 of a key; write it in 64 hexadecimal digits, never the key itself");
    } else if (!out.addKey(*consumer, *digest, key.prefix(), compileExpiry(key))) {
      place().error("stands elsewhere, too, and so does not tell who shows it; remove one");
    }
  }
}

// Null after reporting to the list of `at`, with places in the file.
std::shared_ptr<const Consumers> readConsumers(const std::string& path, const std::string& anonymous,
                                               const config::Context& at) {
  const config::ErrorMark mark(at);
  config::Positions positions;
  credentials::Consumers proto;
  const config::Context in_file(at.errors(), &positions);
  if (!config::Loader(at.errors(), positions).loadFile(path, proto) || !config::validate(proto, in_file)) {
    return nullptr;
  }
  if (proto.consumers().empty()) in_file.error("has no consumers; name one with its keys");
  const auto out = std::make_shared<Consumers>();
  for (int i = 0; i < proto.consumers_size(); ++i) {
    compileConsumer(proto.consumers(i), in_file.child("consumers", static_cast<size_t>(i)), *out);
  }
  if (!anonymous.empty() && !out->setAnonymous(anonymous)) {
    in_file.child("consumers").error(absl::StrCat("has no \"", anonymous, "\", whom requests without a key are of"));
  }
  return mark.hit() ? nullptr : out;
}

// What has gone wrong leaves the consumers as they are.
void readAgain(const std::string& path, const std::string& anonymous, const config::FactoryContext& context,
               ConsumerFile& file) {
  config::ErrorList errors;
  auto consumers = readConsumers(path, anonymous, config::Context(errors));
  if (worker::MainServices* const main = context.services.main) {
    const char* const name = consumers == nullptr ? "key_auth.reload_failure" : "key_auth.reload_success";
    main->cells.add(context.stats->counter(context.owner + name), 1);
  }
  if (consumers != nullptr) {
    file.consumers.set(std::move(consumers));
  } else if (context.services.logger != nullptr) {
    context.services.logger->warning("http", "key_auth: the consumers that were read before hold: ", errors.toString());
  }
}

// Null after reporting.
std::shared_ptr<const ConsumerFile> compileFile(const v1::KeyAuth& proto, const config::FactoryContext& context) {
  const std::string& path = proto.consumers().filename();
  if (path.empty()) {
    context.at.error("is no file; name one by filename");
    return nullptr;
  }
  auto file = std::make_shared<ConsumerFile>(context.services.local_slots);
  // Before the file is read, so that no change comes between.
  if (proto.consumers().has_watched_directory()) {
    config::FactoryContext later = context;
    later.init = nullptr;
    const auto on_change = [weak = std::weak_ptr(file), path, anonymous = proto.anonymous(), later] {
      if (const auto file = weak.lock()) readAgain(path, anonymous, later, *file);
    };
    file->watch = config::watchDirectory(proto.consumers().watched_directory().path(), context.services, on_change,
                                         context.at.child("watched_directory"));
  }
  auto consumers = readConsumers(path, proto.anonymous(), context.at);
  if (consumers == nullptr) return nullptr;
  file->consumers.set(std::move(consumers));
  return file;
}

class Factory : public config::RoutedHttpFilterOf<v1::KeyAuth, v1::KeyAuthPerRoute> {
 public:
  config::HttpFilterPtr makeFilter(const v1::KeyAuth& proto, const config::FactoryContext& context) const override {
    const auto counter = [&](const char* name) {
      return context.stats->counter(absl::StrCat(context.owner, "key_auth.", name));
    };
    Settings out;
    out.file = compileFile(proto, context.child("consumers"));
    out.key_sources = config::compileKeySources(proto.key_sources(), context.at);
    if (const std::string& name = proto.forwarding().header(); !name.empty()) {
      out.forward_header = config::compileHeaderName(name, context.at.child("forwarding").child("header"));
    }
    out.hide_credentials = proto.forwarding().hide_credentials();
    out.allowed = counter("allowed");
    out.anonymous = counter("anonymous");
    out.unauthorized = counter("unauthorized");
    out.forbidden = counter("forbidden");
    return std::make_shared<FilterFactory>(std::move(out));
  }

  config::RouteConfigPtr makeRouteConfig(const v1::KeyAuthPerRoute& proto,
                                         const config::FactoryContext&) const override {
    return std::make_shared<RouteSettings>(Access{{proto.allowed_groups().begin(), proto.allowed_groups().end()},
                                                  {proto.denied_groups().begin(), proto.denied_groups().end()}});
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::key_auth
