#include "source/extensions/filters/http/ldap_auth/connection.h"

#include <lber.h>
#include <ldap.h>
#include <openldap.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "source/base/ascii.h"
#include "source/base/text.h"

// Of libsasl2, whose header is in a package of its own. libldap begins with loading all plugins of SASL, some of which
// bring OpenSSL, and its symbols are those of BoringSSL: they are kept out. Simple binds need none.
extern "C" int sasl_set_path(int type, char* path);

namespace sluice::extensions::http_filters::ldap_auth {
namespace {

constexpr int kSaslPluginPath = 0;
constexpr ber_len_t kMaxMessage = 4 << 20;
constexpr size_t kMaxReferences = 100;
constexpr std::string_view kTlsVersions[] = {"TLS1.2", "TLS1.3"};

// How the library reads and writes: it would wait for whole messages and handshakes as long as it takes.
Wire& wireOf(Sockbuf_IO_Desc* layer) {
  return *static_cast<Wire*>(layer->sbiod_pvt);
}

int setUpWire(Sockbuf_IO_Desc* layer, void* wire) {
  layer->sbiod_pvt = wire;
  return 0;
}

int removeWire(Sockbuf_IO_Desc*) {
  return 0;
}

int controlWire(Sockbuf_IO_Desc* layer, int option, void* argument) {
  return LBER_SBIOD_CTRL_NEXT(layer, option, argument);
}

template <typename Try>
ber_slen_t tryInTime(const Wire& wire, short events, Try attempt) {
  while (true) {
    const ssize_t done = attempt();
    if (done >= 0) return done;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -1;
    if (waitForSocket(wire.fd, events, wire.deadline)) continue;
    errno = ETIMEDOUT;
    return -1;
  }
}

ber_slen_t readWire(Sockbuf_IO_Desc* layer, void* to, ber_len_t size) {
  const Wire& wire = wireOf(layer);
  return tryInTime(wire, POLLIN, [&] { return recv(wire.fd, to, size, MSG_DONTWAIT); });
}

ber_slen_t writeWire(Sockbuf_IO_Desc* layer, void* from, ber_len_t size) {
  const Wire& wire = wireOf(layer);
  return tryInTime(wire, POLLOUT, [&] { return send(wire.fd, from, size, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

// Between the library's socket and its TLS.
constexpr int kWireLevel = (LBER_SBIOD_LEVEL_PROVIDER + LBER_SBIOD_LEVEL_TRANSPORT) / 2;
const Sockbuf_IO kWire{setUpWire, removeWire, controlWire, readWire, writeWire, nullptr};

void prepareLibrary() {
  static std::once_flag once;
  std::call_once(once, [] {
    char nowhere[] = "/dev/null";
    (void)sasl_set_path(kSaslPluginPath, nowhere);
    int version = 0;  // no matter which: the first call has to be alone (ldap_open(3))
    (void)ldap_get_option(nullptr, LDAP_OPT_PROTOCOL_VERSION, &version);
  });
}

timeval timevalOf(std::chrono::microseconds time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {static_cast<time_t>(seconds.count()), static_cast<suseconds_t>((time - seconds).count())};
}

timeval leftUntil(event::TimePoint deadline) {
  const auto left = std::chrono::ceil<std::chrono::microseconds>(deadline - event::Clock::now());
  return timevalOf(std::max(left, std::chrono::microseconds(1)));
}

// Of result codes (RFC 4511 appendix A) and, below 0, of what the library has met with.
Result::Kind kindOf(int code) {
  switch (code) {
    case LDAP_SUCCESS:
      return Result::Kind::kSuccess;
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_INAPPROPRIATE_AUTH:
    case LDAP_INVALID_DN_SYNTAX:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_CONSTRAINT_VIOLATION:
    case LDAP_UNWILLING_TO_PERFORM:
      return Result::Kind::kRefused;
    case LDAP_BUSY:
    case LDAP_UNAVAILABLE:
      return Result::Kind::kDown;
    default:
      return code < 0 ? Result::Kind::kDown : Result::Kind::kError;
  }
}

Result resultOf(int code, const char* said = nullptr) {
  std::string text = ldap_err2string(code);
  if (said != nullptr && *said != '\0') text = absl::StrCat(text, " (", said, ")");
  return {kindOf(code), std::move(text)};
}

absl::Status statusOf(const Result& result) {
  return result.ok() ? absl::OkStatus() : absl::UnavailableError(result.text);
}

std::string_view viewOf(const berval& value) {
  return {value.bv_val, value.bv_len};
}

int scopeOf(Search::Scope scope) {
  switch (scope) {
    case Search::Scope::kBase:
      return LDAP_SCOPE_BASE;
    case Search::Scope::kOneLevel:
      return LDAP_SCOPE_ONELEVEL;
    case Search::Scope::kSubtree:
      break;
  }
  return LDAP_SCOPE_SUBTREE;
}

struct DnFree {
  void operator()(LDAPRDN* dn) const { ldap_dnfree(dn); }
};
using DnPtr = std::unique_ptr<LDAPRDN, DnFree>;

DnPtr parseDn(const std::string& text) {
  LDAPDN out = nullptr;
  return DnPtr(ldap_str2dn(text.c_str(), &out, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS ? out : nullptr);
}

// In one spelling, but for what an attribute takes for the same.
std::string textOf(LDAPDN dn) {
  char* text = nullptr;
  if (dn == nullptr || ldap_dn2str(dn, &text, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS || text == nullptr) return {};
  std::string out = base::lowered(text);
  ldap_memfree(text);
  return out;
}

}  // namespace

const Entry::Values* Entry::find(std::string_view attribute) const {
  for (const auto& [name, values] : attributes) {
    if (base::equalsIgnoringCase(name, attribute)) return &values;
  }
  return nullptr;
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::open(const Server& server, const TlsOptions& tls,
                                                             const Timeouts& timeouts, OpenSockets& sockets) {
  prepareLibrary();
  const event::TimePoint deadline = event::Clock::now() + timeouts.connect;
  const absl::StatusOr<int> fd = dial(server.host, server.port, deadline, sockets);
  if (!fd.ok()) return fd.status();
  std::unique_ptr<Connection> out(new Connection(*fd, deadline, timeouts.operation, sockets));
  if (absl::Status bad = out->begin(server, tls); !bad.ok()) return bad;
  return out;
}

Connection::~Connection() {
  if (handle_ == nullptr) {
    hangUp(wire_.fd, sockets_);
    return;
  }
  sockets_.remove(wire_.fd);
  wire_.deadline = event::Clock::now();  // nobody waits for the end of TLS
  ldap_unbind_ext(handle_, nullptr, nullptr);
}

absl::Status Connection::begin(const Server& server, const TlsOptions& tls) {
  // The host is who the certificate is to be for. TLS that comes first is begun below.
  if (ldap_init_fd(wire_.fd, LDAP_PROTO_TCP, absl::StrCat("ldap://", server.text).c_str(), &handle_) != LDAP_SUCCESS) {
    handle_ = nullptr;
    return absl::UnavailableError("libldap does not take the connection");
  }
  // Each that a file of the system or a variable of the environment could set otherwise.
  const int version = LDAP_VERSION3, deref = LDAP_DEREF_NEVER;
  const timeval operation = timevalOf(timeout_);
  ldap_set_option(handle_, LDAP_OPT_PROTOCOL_VERSION, &version);
  ldap_set_option(handle_, LDAP_OPT_DEREF, &deref);
  ldap_set_option(handle_, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  ldap_set_option(handle_, LDAP_OPT_RESTART, LDAP_OPT_OFF);
  ldap_set_option(handle_, LDAP_OPT_TIMEOUT, &operation);
  ldap_set_option(handle_, LDAP_OPT_NETWORK_TIMEOUT, &operation);
  Sockbuf* buffer = nullptr;
  ber_len_t most = kMaxMessage;
  if (ldap_get_option(handle_, LDAP_OPT_SOCKBUF, &buffer) != LDAP_OPT_SUCCESS || buffer == nullptr ||
      ber_sockbuf_add_io(buffer, const_cast<Sockbuf_IO*>(&kWire), kWireLevel, &wire_) != 0 ||
      ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &most) != 1) {
    return absl::UnavailableError("libldap does not take the connection");
  }
  return server.tls_first || tls.start ? beginTls(tls, !server.tls_first) : absl::OkStatus();
}

absl::Status Connection::beginTls(const TlsOptions& tls, bool start) {
  const int verify = tls.verify ? LDAP_OPT_X_TLS_DEMAND : LDAP_OPT_X_TLS_NEVER;
  const int names = LDAP_OPT_X_TLS_TRY, is_server = 0;  // the subject's name does not count beside others
  bool set = ldap_set_option(handle_, LDAP_OPT_X_TLS_REQUIRE_CERT, &verify) == LDAP_OPT_SUCCESS;
  set &= ldap_set_option(handle_, LDAP_OPT_X_TLS_REQUIRE_SAN, &names) == LDAP_OPT_SUCCESS;
  set &= ldap_set_option(handle_, LDAP_OPT_X_TLS_CACERTFILE, tls.ca_file.c_str()) == LDAP_OPT_SUCCESS;
  set &= ldap_set_option(handle_, LDAP_OPT_X_TLS_CACERTDIR, "") == LDAP_OPT_SUCCESS;
  set = set && ldap_set_option(handle_, LDAP_OPT_X_TLS_NEWCTX, &is_server) == LDAP_OPT_SUCCESS;
  if (!set) return absl::UnavailableError("TLS cannot be set up; is the file of trusted certificates readable?");
  if (start) {
    int id = 0;
    if (const int code = ldap_start_tls(handle_, nullptr, nullptr, &id); code != LDAP_SUCCESS)
      return statusOf(resultOf(code));
    Result result;
    if (ldapmsg* const message = await(id, true, result)) result = read(message);
    if (!result.ok()) return absl::UnavailableError(absl::StrCat("StartTLS: ", result.text));
  }
  const int code = ldap_install_tls(handle_);
  if (code == LDAP_SUCCESS) return checkTlsVersion();
  if (event::Clock::now() >= wire_.deadline) return absl::UnavailableError("TLS: Timed out");
  return absl::UnavailableError(absl::StrCat(
      "TLS: ", ldap_err2string(code), "; is its certificate for this host and of an authority that is trusted?"));
}

// Before anything is sent by it. With GnuTLS the library does not heed LDAP_OPT_X_TLS_PROTOCOL_MIN, and leaks where it
// is told of ciphers.
absl::Status Connection::checkTlsVersion() const {
  char* told = nullptr;
  ldap_get_option(handle_, LDAP_OPT_X_TLS_VERSION, &told);
  const std::string version = told == nullptr ? "" : told;
  ldap_memfree(told);
  if (std::find(std::begin(kTlsVersions), std::end(kTlsVersions), version) != std::end(kTlsVersions)) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat("TLS: the server speaks '", version, "', and TLS1.2 is the least"));
}

ldapmsg* Connection::await(int id, bool whole, Result& result) const {
  timeval left = leftUntil(wire_.deadline);
  LDAPMessage* message = nullptr;
  const int type = ldap_result(handle_, id, whole ? LDAP_MSG_ALL : LDAP_MSG_ONE, &left, &message);
  if (type > 0) return message;
  int code = LDAP_TIMEOUT;
  if (type < 0) ldap_get_option(handle_, LDAP_OPT_RESULT_CODE, &code);
  result = resultOf(code < 0 ? code : LDAP_SERVER_DOWN);
  return nullptr;
}

Result Connection::read(ldapmsg* message) const {
  int code = LDAP_OTHER;
  char* said = nullptr;
  const int parsed = ldap_parse_result(handle_, message, &code, nullptr, &said, nullptr, nullptr, 1);
  Result out = resultOf(parsed == LDAP_SUCCESS ? code : LDAP_DECODING_ERROR, said);
  ldap_memfree(said);
  return out;
}

Result Connection::bind(const std::string& dn, std::string_view password) {
  if (dn.empty() || password.empty()) return {Result::Kind::kRefused, "a name or a password is empty"};
  const berval credential{password.size(), const_cast<char*>(password.data())};
  int id = 0;
  wire_.deadline = event::Clock::now() + timeout_;
  if (const int code = ldap_sasl_bind(handle_, dn.c_str(), LDAP_SASL_SIMPLE, const_cast<berval*>(&credential), nullptr,
                                      nullptr, &id);
      code != LDAP_SUCCESS)
    return resultOf(code);
  Result result;
  ldapmsg* const message = await(id, true, result);
  if (message == nullptr) return result;
  if (ldap_msgtype(message) == LDAP_RES_BIND) return read(message);
  ldap_msgfree(message);
  return resultOf(LDAP_DECODING_ERROR);
}

SearchResult Connection::search(const Search& search) {
  std::vector<char*> names;
  for (const std::string& name : search.attributes) names.push_back(const_cast<char*>(name.c_str()));
  char none[] = LDAP_NO_ATTRS;
  if (names.empty()) names.push_back(none);
  names.push_back(nullptr);
  timeval limit = timevalOf(std::max<std::chrono::microseconds>(timeout_, std::chrono::seconds(1)));
  int id = 0;
  SearchResult out;
  wire_.deadline = event::Clock::now() + timeout_;
  if (const int code =
          ldap_search_ext(handle_, search.base.c_str(), scopeOf(search.scope), search.filter.c_str(), names.data(), 0,
                          nullptr, nullptr, &limit, static_cast<int>(search.max_entries), &id);
      code != LDAP_SUCCESS) {
    out.result = resultOf(code);
    return out;
  }
  size_t references = 0;
  while (ldapmsg* const message = await(id, false, out.result)) {
    const std::unique_ptr<ldapmsg, decltype(&ldap_msgfree)> owned(message, &ldap_msgfree);
    const int type = ldap_msgtype(message);
    if (type == LDAP_RES_SEARCH_RESULT) {
      int code = LDAP_OTHER;
      char* said = nullptr;
      const int parsed = ldap_parse_result(handle_, message, &code, nullptr, &said, nullptr, nullptr, 0);
      out.has_more = code == LDAP_SIZELIMIT_EXCEEDED;
      out.result = out.has_more ? Result{} : resultOf(parsed == LDAP_SUCCESS ? code : LDAP_DECODING_ERROR, said);
      ldap_memfree(said);
      break;
    }
    if (type == LDAP_RES_SEARCH_ENTRY && out.entries.size() < search.max_entries) {
      out.entries.push_back(readEntry(message));
    } else if (type != LDAP_RES_SEARCH_REFERENCE || ++references > kMaxReferences) {
      out.result = {Result::Kind::kDown, "it sends more than was asked for"};
      break;
    }
  }
  return out;
}

Entry Connection::readEntry(ldapmsg* message) const {
  Entry out;
  if (char* const dn = ldap_get_dn(handle_, message)) {
    out.dn = dn;
    ldap_memfree(dn);
  }
  BerElement* place = nullptr;
  for (char* name = ldap_first_attribute(handle_, message, &place); name != nullptr;
       name = ldap_next_attribute(handle_, message, place)) {
    auto& [attribute, values] = out.attributes.emplace_back(name, Entry::Values{});
    if (berval** const found = ldap_get_values_len(handle_, message, name)) {
      for (berval** each = found; *each != nullptr; ++each) values.emplace_back(viewOf(**each));
      ldap_value_free_len(found);
    }
    ldap_memfree(name);
  }
  ber_free(place, 0);
  return out;
}

bool isDn(const std::string& text) {
  return parseDn(text) != nullptr;
}

std::optional<std::string> groupName(const std::string& dn, const std::string& base) {
  if (base.empty()) return dn;
  const DnPtr parsed = parseDn(dn), parent = parseDn(base);
  if (parsed == nullptr || parent == nullptr) return std::nullopt;
  LDAPDN const parts = parsed.get();
  if (textOf(parts + 1) != textOf(parent.get())) return std::nullopt;
  LDAPRDN const first = parts[0];
  if (first[0] == nullptr || first[1] != nullptr) return std::nullopt;
  return std::string(viewOf(first[0]->la_value));
}

}  // namespace sluice::extensions::http_filters::ldap_auth
