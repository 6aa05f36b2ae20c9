// Chains with compressors whose libraries are "turned" and "other" (source/compression/test_library.h), from their
// configuration.
#pragma once

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

#include "envoy/extensions/filters/http/compressor/v3/compressor.pb.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/empty.pb.h"
#include "source/compression/test_library.h"
#include "source/config/compression_factory.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/compressor/factory.h"
#include "test/support/filter/harness.h"

namespace sluice::extensions::http_filters::compressor {

// Messages that stand for the libraries.
inline const std::string kTurned = "google.protobuf.Empty";
inline const std::string kOther = "envoy.extensions.filters.http.compressor.v3.Compressor.RequestDirectionConfig";

class TestLibraryFactory : public config::CompressorConfigFactory {
 public:
  TestLibraryFactory(std::string_view type, std::string_view coding) : type_(type), coding_(coding) {}
  std::string_view configType() const override { return type_; }
  std::shared_ptr<const sluice::compression::CompressorLibrary> compile(const google::protobuf::Message&,
                                                                        config::FactoryContext) const override {
    return std::make_shared<sluice::compression::testing::TestCompressorLibrary>(coding_);
  }

 private:
  const std::string_view type_;
  const std::string_view coding_;
};

// Filters as configured, in one world. `fields` of each in flow style, without the library, which is "turned" for the
// first and "other" for the second.
struct Compiled {
  explicit Compiled(const std::vector<std::string>& fields, const std::string& route = "") {
    for (size_t i = 0; i < fields.size(); ++i) {
      factories.push_back(make("{" + fields[i] + (fields[i].empty() ? "" : ", ") +
                               "compressor_library: {name: lib, typed_config: {'@type': type.googleapis.com/" +
                               (i == 0 ? kTurned : kOther) + "}}}"));
    }
    if (!route.empty()) route_settings = makeRoute("{" + route + "}");
  }
  explicit Compiled(const std::string& fields, const std::string& route = "")
      : Compiled(std::vector<std::string>{fields}, route) {}

  // Null: see world.problems().
  std::shared_ptr<const filter::HttpFilterFactory> make(const std::string& yaml) {
    registerOnce();
    envoy::extensions::filters::http::compressor::v3::Compressor message;
    if (!world.load(yaml, message)) return nullptr;
    const auto* filter = world.registry.http_filters.find(message.GetDescriptor()->full_name());
    return filter->compile(message, holding.context(world.at, "http.p."));
  }
  std::shared_ptr<const route::PerFilterConfig> makeRoute(const std::string& yaml) {
    envoy::extensions::filters::http::compressor::v3::CompressorPerRoute message;
    if (!world.load(yaml, message)) return nullptr;
    const auto* filter = world.registry.http_filters.find(
        envoy::extensions::filters::http::compressor::v3::Compressor::descriptor()->full_name());
    return filter->compileRoute(message, holding.context(world.at, "http.p."));
  }

  config::testing::TestWorld world;
  config::Holding holding{world.services};
  std::vector<std::shared_ptr<const filter::HttpFilterFactory>> factories;
  std::shared_ptr<const route::PerFilterConfig> route_settings;

 private:
  void registerOnce() {
    if (world.registry.compressors.find(kTurned) != nullptr) return;
    google::protobuf::Empty::default_instance();  // linked
    registerFactory(world.registry);
    world.registry.compressors.add(std::make_unique<TestLibraryFactory>(kTurned, "turned"));
    world.registry.compressors.add(std::make_unique<TestLibraryFactory>(kOther, "other"));
  }
};

struct Bed : Compiled, filter::testing::Harness {
  explicit Bed(const std::vector<std::string>& fields, const std::string& route = "")
      : Compiled(fields, route), Harness(factories, {route_settings}) {
    CHECK(world.problems() == "");
  }
  explicit Bed(const std::string& fields = "response_direction_config: {}", const std::string& route = "")
      : Bed(std::vector<std::string>{fields}, route) {}

  // A field of the answer; "(none)": it has none.
  std::string of(std::string_view name) const {
    for (const auto& [key, value] : client.headers) {
      if (key == name) return value;
    }
    return "(none)";
  }
  // A counter of filters of the library "turned", and of "other", which have the same names here.
  int64_t stat(const std::string& name) {
    const auto* known = world.stats.find("http.p.compressor.lib.turned." + name);
    return known == nullptr ? -1 : static_cast<int64_t>(stream.cells().read(known->id));
  }
};

}  // namespace sluice::extensions::http_filters::compressor
