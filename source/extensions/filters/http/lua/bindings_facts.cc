// What a script asks of the stream, its connection and its route.
#include <luajit-2.1/lua.hpp>
#include <string>

#include "source/extensions/filters/http/lua/bindings.h"
#include "source/extensions/filters/http/lua/machine.h"
#include "source/extensions/filters/http/lua/run.h"
#include "source/extensions/filters/http/lua/values.h"

namespace sluice::extensions::http_filters::lua {
namespace {

using net::TlsInfo;
using stream::MetadataFields;
using Certificate = TlsInfo::Certificate;

constexpr std::string_view kFilterName = "envoy.filters.http.lua";

// --- fixed metadata: get(key) and pairs()

const MetadataFields* fixed(Run& run, Kind kind) {
  if (kind == Kind::kFilterContext) return run.filter_context;
  if (kind == Kind::kMetadata) return stream::fieldsUnder(run.context.routeMetadata(), kFilterName);
  return stream::fieldsUnder(run.context.info().virtual_host_metadata, kFilterName);
}

int pushEntries(lua_State* state, const MetadataFields* fields) {
  lua_newtable(state);
  if (fields == nullptr) return 1;
  int at = 0;
  for (const stream::MetadataField& field : *fields) {
    pushText(state, field.name);
    lua_rawseti(state, -2, ++at);
    pushValue(state, field.value);
    lua_rawseti(state, -2, ++at);
  }
  return 1;
}

int pushNamed(lua_State* state, const MetadataFields* fields, std::string_view name) {
  if (fields != nullptr) {
    for (const stream::MetadataField& field : *fields) {
      if (field.name != name) continue;
      pushValue(state, field.value);
      return 1;
    }
  }
  lua_pushnil(state);
  return 1;
}

template <Kind kKind>
int getFixed(lua_State* state) {
  Run& run = runOf(state, kKind);
  return pushNamed(state, fixed(run, kKind), textAt(state, 2));
}

template <Kind kKind>
int listFixed(lua_State* state) {
  return pushEntries(state, fixed(runOf(state, kKind), kKind));
}

template <Kind kKind>
constexpr Function kFixed[] = {{"get", getFixed<kKind>}, {"_list", listFixed<kKind>}, {nullptr, nullptr}};

// --- dynamic metadata and filter state

int getDynamic(lua_State* state) {
  Run& run = runOf(state, Kind::kDynamicMetadata);
  const std::string_view filter = textAt(state, 2);
  const auto& all = run.context.info().dynamic_metadata;
  const stream::MetadataValue* const found = all ? all->find(filter) : nullptr;
  found == nullptr ? lua_pushnil(state) : pushValue(state, *found);
  return 1;
}

int setDynamic(lua_State* state) {
  Run& run = runOf(state, Kind::kDynamicMetadata);
  const std::string_view filter = textAt(state, 2), key = textAt(state, 3);
  luaL_checkany(state, 4);
  if (filter == stream::kIdentityMetadata) {
    return luaL_error(state, "set(): sluice.identity is written by filters of authentication only");
  }
  give(state, run, filter.size() + key.size());
  size_t size = 0;
  bool set = false;
  {
    std::string fault;
    stream::MetadataValue value;
    if (readValue(state, 4, value, fault, size) && mayGive(state, run, size)) {
      run.given += size;
      run.context.info().metadata().set(filter, key, std::move(value));
      set = true;
    } else {
      if (fault.empty()) fault = "the stream has more metadata of the script than it may have memory";
      pushText(state, "set(): " + fault);
    }
  }
  machineOf(state).spend(state, size / 8);
  return set ? 0 : lua_error(state);
}

int listDynamic(lua_State* state) {
  Run& run = runOf(state, Kind::kDynamicMetadata);
  const auto& all = run.context.info().dynamic_metadata;
  return pushEntries(state, all ? &all->fields() : nullptr);
}

int getState(lua_State* state) {
  Run& run = runOf(state, Kind::kFilterState);
  const std::string_view name = textAt(state, 2);
  if (!lua_isnoneornil(state, 3)) return luaL_error(state, "objects of filter state have no fields here");
  const auto& all = run.context.info().filter_state;
  const auto* const found = all ? all->get<stream::FilterState::Object>(name) : nullptr;
  found == nullptr ? lua_pushnil(state) : pushText(state, found->text());
  return 1;
}

int setState(lua_State* state) {
  Run& run = runOf(state, Kind::kFilterState);
  const std::string_view name = textAt(state, 2), text = textAt(state, 3);
  give(state, run, name.size() + text.size());
  run.context.info().filterState().set(name, text);
  return 0;
}

constexpr Function kDynamic[] = {{"get", getDynamic}, {"set", setDynamic}, {"_list", listDynamic}, {nullptr, nullptr}};
constexpr Function kState[] = {{"get", getState}, {"set", setState}, {nullptr, nullptr}};

// --- stream info

template <std::string_view stream::StreamInfo::*kText>
int infoText(lua_State* state) {
  pushText(state, runOf(state, Kind::kStreamInfo).context.info().*kText);
  return 1;
}

int protocol(lua_State* state) {
  pushText(state, http::textOf(runOf(state, Kind::kStreamInfo).context.info().protocol));
  return 1;
}

template <Kind kFrom, Kind kTo>
int object(lua_State* state) {
  pushObject(state, kTo, runOf(state, kFrom).id);
  return 1;
}

// Nil where the connection is not TLS.
template <Kind kFrom>
int tls(lua_State* state) {
  Run& run = runOf(state, kFrom);
  run.context.info().downstreamTls() == nullptr ? lua_pushnil(state) : pushObject(state, Kind::kTls, run.id);
  return 1;
}

constexpr Function kStreamInfo[] = {
    {"protocol", protocol},
    {"routeName", infoText<&stream::StreamInfo::route_name>},
    {"virtualClusterName", infoText<&stream::StreamInfo::virtual_cluster_name>},
    {"downstreamLocalAddress", infoText<&stream::StreamInfo::downstream_local_address>},
    {"downstreamRemoteAddress", infoText<&stream::StreamInfo::downstream_remote_address>},
    {"downstreamDirectRemoteAddress", infoText<&stream::StreamInfo::downstream_direct_remote_address>},
    {"requestedServerName", infoText<&stream::StreamInfo::requested_server_name>},
    {"downstreamSslConnection", tls<Kind::kStreamInfo>},
    {"dynamicMetadata", object<Kind::kStreamInfo, Kind::kDynamicMetadata>},
    {"filterState", object<Kind::kStreamInfo, Kind::kFilterState>},
    {nullptr, nullptr}};
constexpr Function kConnection[] = {{"ssl", tls<Kind::kConnection>}, {nullptr, nullptr}};
constexpr Function kRoute[] = {{"metadata", object<Kind::kRoute, Kind::kMetadata>}, {nullptr, nullptr}};
constexpr Function kVirtualHost[] = {{"metadata", object<Kind::kVirtualHost, Kind::kVirtualHostMetadata>},
                                     {nullptr, nullptr}};

// --- TLS

const TlsInfo& tlsOf(lua_State* state) {
  const TlsInfo* const info = runOf(state, Kind::kTls).context.info().downstreamTls();
  if (info == nullptr) luaL_error(state, "the connection is not TLS");
  return *info;
}

template <std::string TlsInfo::*kText>
int tlsText(lua_State* state) {
  pushText(state, tlsOf(state).*kText);
  return 1;
}

template <bool TlsInfo::*kFlag>
int tlsFlag(lua_State* state) {
  lua_pushboolean(state, tlsOf(state).*kFlag);
  return 1;
}

template <Certificate TlsInfo::*kWhose, std::string Certificate::*kText>
int certificateText(lua_State* state) {
  pushText(state, tlsOf(state).*kWhose.*kText);
  return 1;
}

template <Certificate TlsInfo::*kWhose, std::vector<std::string> Certificate::*kList>
int certificateList(lua_State* state) {
  const std::vector<std::string>& list = tlsOf(state).*kWhose.*kList;
  lua_createtable(state, static_cast<int>(list.size()), 0);
  for (size_t i = 0; i < list.size(); ++i) {
    pushText(state, list[i]);
    lua_rawseti(state, -2, static_cast<int>(i + 1));
  }
  return 1;
}

template <int64_t Certificate::*kTime>
int peerTime(lua_State* state) {
  const TlsInfo& info = tlsOf(state);
  info.peer_presented ? lua_pushinteger(state, info.peer.*kTime) : lua_pushnil(state);
  return 1;
}

constexpr auto kPeer = &TlsInfo::peer;
constexpr auto kLocal = &TlsInfo::local;
constexpr Function kTls[] = {
    {"peerCertificatePresented", tlsFlag<&TlsInfo::peer_presented>},
    {"peerCertificateValidated", tlsFlag<&TlsInfo::peer_validated>},
    {"uriSanPeerCertificate", certificateList<kPeer, &Certificate::uri_sans>},
    {"uriSanLocalCertificate", certificateList<kLocal, &Certificate::uri_sans>},
    {"dnsSansPeerCertificate", certificateList<kPeer, &Certificate::dns_sans>},
    {"dnsSansLocalCertificate", certificateList<kLocal, &Certificate::dns_sans>},
    {"subjectPeerCertificate", certificateText<kPeer, &Certificate::subject>},
    {"subjectLocalCertificate", certificateText<kLocal, &Certificate::subject>},
    {"issuerPeerCertificate", certificateText<kPeer, &Certificate::issuer>},
    {"serialNumberPeerCertificate", certificateText<kPeer, &Certificate::serial>},
    {"sha256PeerCertificateDigest", certificateText<kPeer, &Certificate::sha256>},
    {"urlEncodedPemEncodedPeerCertificate", certificateText<kPeer, &Certificate::pem>},
    {"urlEncodedPemEncodedPeerCertificateChain", certificateText<kPeer, &Certificate::chain_pem>},
    {"validFromPeerCertificate", peerTime<&Certificate::valid_from>},
    {"expirationPeerCertificate", peerTime<&Certificate::valid_to>},
    {"sessionId", tlsText<&TlsInfo::session_id>},
    {"ciphersuiteString", tlsText<&TlsInfo::cipher>},
    {"tlsVersion", tlsText<&TlsInfo::version>},
    {nullptr, nullptr}};

}  // namespace

void registerFacts(lua_State* state) {
  registerType(state, Kind::kMetadata, kFixed<Kind::kMetadata>);
  registerType(state, Kind::kVirtualHostMetadata, kFixed<Kind::kVirtualHostMetadata>);
  registerType(state, Kind::kFilterContext, kFixed<Kind::kFilterContext>);
  registerType(state, Kind::kDynamicMetadata, kDynamic);
  registerType(state, Kind::kFilterState, kState);
  registerType(state, Kind::kStreamInfo, kStreamInfo);
  registerType(state, Kind::kConnection, kConnection);
  registerType(state, Kind::kRoute, kRoute);
  registerType(state, Kind::kVirtualHost, kVirtualHost);
  registerType(state, Kind::kTls, kTls);
}

}  // namespace sluice::extensions::http_filters::lua
