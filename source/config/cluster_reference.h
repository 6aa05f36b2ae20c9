// A cluster that is named where connections, commands or datagrams are sent.
#pragma once

#include <string>
#include <string_view>

#include "source/base/text.h"
#include "source/config/services.h"

namespace sluice::config {

// It may come later: a warning says so, and what is the case without it ("connections are closed").
inline route::ClusterId clusterNamed(const std::string& name, std::string_view without, const Context& at,
                                     Services& services) {
  if (services.cluster_exists && !services.cluster_exists(name)) {
    at.warn(base::strCat("no cluster is called '", name, "'; ", without, " until there is one"));
  }
  return services.cluster_names.idOf(name);
}

}  // namespace sluice::config
