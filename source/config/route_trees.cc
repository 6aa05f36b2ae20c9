#include "source/config/route_trees.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/config/any_type.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::config::route::v3;

// Adds the routes of an action; false after reporting that it is none.
bool addRoutes(const google::protobuf::Any& action, const Context& context, const AddRoute& add) {
  const std::unique_ptr<google::protobuf::Message> message = unpackAny(action, context);
  if (message == nullptr) return false;
  if (const auto* route = dynamic_cast<const v3::Route*>(message.get())) {
    add(*route, context);
    return true;
  }
  if (const auto* list = dynamic_cast<const v3::RouteList*>(message.get())) {
    if (list->routes().empty()) context.child("routes").warn("is empty: requests that come here are answered 404");
    for (int i = 0; i < list->routes_size(); ++i) add(list->routes(i), context.child("routes", static_cast<size_t>(i)));
    return true;
  }
  context.error(absl::StrCat(message->GetTypeName(), " is no action of a virtual host; there are ",
                             v3::Route::descriptor()->full_name(), " and ", v3::RouteList::descriptor()->full_name()));
  return false;
}

}  // namespace

void compileRouteTree(const v3::VirtualHost& host, const Context& context, const CompileMatcher& compile,
                      const AddRoute& add, route::VirtualHostSpec& out) {
  const Context at = context.child("matcher");
  if (!host.routes().empty()) at.error("stands beside routes, which nothing leads to then; keep one of the two");
  if (!compile) return at.error("is not supported here; use routes");
  const auto action = [&](const google::protobuf::Any& any, const Context& action_at) -> std::optional<match::Action> {
    const size_t first = out.routes.size();
    if (!addRoutes(any, action_at, add)) return std::nullopt;
    out.tree.lists.emplace_back(first, out.routes.size() - first);
    return static_cast<match::Action>(out.tree.lists.size() - 1);
  };
  out.tree.matcher =
      compile(host.matcher(), {"the matcher of a virtual host", match::kRequestParts, false, action}, at);
}

}  // namespace sluice::config
