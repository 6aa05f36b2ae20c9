// Where calls of filters go. (proto: core.v3.HttpUri)
#pragma once

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "envoy/config/core/v3/http_uri.pb.h"
#include "source/config/route_texts.h"
#include "source/config/services.h"
#include "source/config/values.h"
#include "source/worker/calls.h"

namespace sluice::config {

// `rest`: of the URL, what stands behind its scheme, which is for people: the cluster says how it connects. `nothing`:
// what cannot be done in no time, "fetched". What is wrong is reported to `context`, which stands at the HttpUri.
inline void compileHttpUri(const envoy::config::core::v3::HttpUri& proto, std::string_view rest, const char* nothing,
                           const FactoryContext& context, worker::HttpCallRequest& out) {
  const Context at = context.at.child("uri");
  const size_t path = std::min(rest.find_first_of("/?"), rest.size());
  out.authority = rest.substr(0, path);
  out.path = rest.substr(path);
  if (!out.path.starts_with('/')) out.path.insert(0, "/");
  if (out.authority.empty()) at.error("names no host");
  checkHostText(out.authority, at);
  checkPathText(out.path, at);
  out.cluster = proto.cluster();
  if (context.services.cluster_exists && !context.services.cluster_exists(out.cluster)) {
    context.at.child("cluster").error(
        absl::StrCat("no cluster is called '", out.cluster, "'; define it or correct the name"));
  }
  context.services.cluster_names.idOf(out.cluster);  // it stays while the filter does
  out.timeout = compileMilliseconds(proto.timeout());
  if (out.timeout.count() == 0) {
    context.at.child("timeout").error(absl::StrCat("is 0, in which nothing can be ", nothing));
  }
}

}  // namespace sluice::config
