#include "source/config/mirror_policies.h"

#include "absl/strings/ascii.h"
#include "source/config/route_mutations.h"
#include "source/config/route_texts.h"
#include "source/config/runtime_compiler.h"

namespace sluice::config {
namespace {

using Proto = envoy::config::route::v3::RouteAction::RequestMirrorPolicy;

route::MirrorPolicy compileOne(const Proto& proto, const Context& context, const NamedCluster& named_cluster,
                               const runtime::Snapshot* runtime) {
  route::MirrorPolicy out;
  if (!proto.cluster().empty() && !proto.cluster_header().empty()) {
    context.error("has both cluster and cluster_header; keep one of them");
  } else if (!proto.cluster_header().empty()) {
    out.cluster_header = absl::AsciiStrToLower(proto.cluster_header());
  } else {
    out.cluster_name = proto.cluster();
    out.cluster = named_cluster(proto.cluster(), context.child("cluster"));
  }
  if (proto.has_runtime_fraction()) out.fraction = compileFraction(proto.runtime_fraction(), runtime);
  out.shadow_host = !proto.disable_shadow_host_suffix_append();
  out.host_rewrite = proto.host_rewrite_literal();
  checkHostText(proto.host_rewrite_literal(), context.child("host_rewrite_literal"));
  out.changes = compileHeaderMutationList(proto.request_headers_mutations(), "request_headers_mutations", context);
  return out;
}

}  // namespace

std::shared_ptr<const route::MirrorPolicies> compileMirrorPolicies(
    const google::protobuf::RepeatedPtrField<Proto>& protos, const Context& context, const NamedCluster& named_cluster,
    const runtime::Snapshot* runtime) {
  auto out = std::make_shared<route::MirrorPolicies>();
  for (int i = 0; i < protos.size(); ++i) {
    const Context at = context.child("request_mirror_policies", static_cast<size_t>(i));
    out->push_back(compileOne(protos[i], at, named_cluster, runtime));
  }
  return out;
}

}  // namespace sluice::config
