#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::ldap_auth {

// sluice.extensions.filters.http.ldap_auth.v1.LdapAuth.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::ldap_auth
