// Which rule a request falls under: the first whose match takes it, found by the index of routes.
// Immutable, used by all workers.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/base/arena.h"
#include "source/http/headers.h"
#include "source/route/matchers.h"
#include "source/route/path_index.h"
#include "source/route/route.h"
#include "source/route/spec.h"

namespace sluice::extensions::http_filters::jwt_authn {

class Rules {
 public:
  Rules() = default;  // none
  // Of each spec what it matches.
  explicit Rules(std::vector<route::RouteSpec> specs);

  // Nullopt: none. `without_parameters`: as the routes of the request are matched (route::withoutParameters).
  std::optional<size_t> find(const http::RequestHeaders& request, bool without_parameters,
                             route::Surroundings around) const;
  // Whether find() goes by the random number.
  bool byChance() const { return by_chance_; }

 private:
  struct Content {
    std::deque<route::RouteSpec> specs;  // to which `routes` point
    base::Arena texts;
    std::vector<route::Route> routes;
    std::unique_ptr<const route::PathIndex> index;  // null where there are so few that asking each is cheaper
  };
  std::unique_ptr<const Content> content_;  // null: none
  bool by_chance_ = false;
  bool first_takes_all_ = false;  // that have a path
};

}  // namespace sluice::extensions::http_filters::jwt_authn
