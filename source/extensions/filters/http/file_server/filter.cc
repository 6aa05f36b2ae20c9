#include "source/extensions/filters/http/file_server/filter.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "source/base/ascii.h"
#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/file_server/file_body.h"
#include "source/extensions/filters/http/file_server/listing.h"
#include "source/filter/context.h"
#include "source/http/conditions.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::file_server {
namespace {

using filter::Reply;
using Wall = std::chrono::system_clock::time_point;
using std::chrono::nanoseconds;

http::Date dateOf(Wall now) {
  return std::chrono::floor<std::chrono::seconds>(now);
}

Reply refused(uint16_t status, std::string_view details) {
  const std::string_view text = status == 403   ? "forbidden\n"
                                : status == 404 ? "not found\n"
                                : status == 503 ? "try again later\n"
                                                : "";
  return Reply{status, std::string(text), details};
}

// What cannot be opened is not there, unless it is; what leads out of the folder does not lead anywhere.
Reply openFailed(int error) {
  constexpr std::string_view kDetails = "file_server_open_error";
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EXDEV:
      return refused(404, kDetails);
    case EACCES:
    case EPERM:
    case ENXIO:
      return refused(403, kDetails);
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return refused(503, kDetails);
    default:
      return refused(500, kDetails);
  }
}

// A file that was written just now may be written again without another time.
bool isSettled(const struct stat& info, Wall now) {
  const auto modified = std::chrono::seconds(info.st_mtim.tv_sec) + nanoseconds(info.st_mtim.tv_nsec);
  return std::chrono::duration_cast<nanoseconds>(now.time_since_epoch()) - modified >= std::chrono::seconds(1);
}

// Of time and size.
std::string etagOf(const struct stat& info, bool settled) {
  return absl::StrFormat("%s\"%x-%x-%x\"", settled ? "" : "W/", static_cast<uint64_t>(info.st_mtim.tv_sec),
                         info.st_mtim.tv_nsec, static_cast<uint64_t>(info.st_size));
}

struct Served {
  const Settings& settings;
  const http::RequestHeaders& request;
  filter::Context& context;

  Reply file(Opened opened, std::string_view path, base::LimitUnit place) const;
  Reply folder(const Mapping& mapping, const RelativePath& relative, Opened opened, base::LimitUnit place) const;
  Reply at(const Mapping& mapping, std::string_view rest) const;
};

Reply Served::file(Opened opened, std::string_view path, base::LimitUnit place) const {
  const Wall now = context.wallNow();
  const bool settled = isSettled(opened.info, now);
  const std::string etag = etagOf(opened.info, settled);
  const http::Date modified = std::min(http::Date(std::chrono::seconds(opened.info.st_mtim.tv_sec)), dateOf(now));
  const http::Representation file{etag, modified, static_cast<uint64_t>(opened.info.st_size), settled};
  Reply reply{200, "", "file_server"};
  reply.headers = {{"accept-ranges", "bytes"}, {"etag", etag}, {"last-modified", http::formatDate(modified)}};
  const http::Conditions conditions = http::Conditions::of(request);
  const http::Verdict verdict = http::evaluate(conditions, file, dateOf(now));
  if (verdict == http::Verdict::kFailed) return refused(412, "file_server_precondition_failed");
  if (verdict == http::Verdict::kNotModified) {
    reply.status = 304;
    reply.stream = std::make_unique<NoBody>();
    return reply;
  }
  http::Range range = http::rangeOf(conditions, file, dateOf(now));
  if (range.kind == http::Range::Kind::kUnsatisfiable) {
    Reply out = refused(416, "file_server_range_not_satisfiable");
    out.headers = {{"content-range", absl::StrCat("bytes */", file.size)}};
    return out;
  }
  if (range.kind == http::Range::Kind::kPart) {
    reply.status = 206;
    reply.headers.emplace_back("content-range",
                               absl::StrCat("bytes ", range.begin, "-", range.end - 1, "/", file.size));
  } else {
    range.end = file.size;
  }
  reply.headers.emplace_back("content-length", absl::StrCat(range.end - range.begin));
  const std::string_view type = settings.contentTypeOf(path);
  if (!type.empty()) reply.headers.emplace_back("content-type", type);
  reply.stream =
      std::make_unique<FileBody>(std::move(opened.fd), range.begin, range.end, context.worker().loop, std::move(place));
  return reply;
}

// The folder whose path lacks the slash at its end, so that relative links of what is answered lead into it. Relative
// itself: nothing of a path can name another scheme or host ("./").
Reply toSlash(const http::RequestHeaders& request) {
  const std::string_view path = request.pathOnly();
  const std::string_view name = path.substr(path.rfind('/') + 1), query = request.path.substr(path.size());
  return Reply{301, "", "file_server_folder_redirect", {{"location", base::strCat("./", name, "/", query)}}};
}

Reply Served::folder(const Mapping& mapping, const RelativePath& relative, Opened opened, base::LimitUnit place) const {
  if (!settings.folder_behaviors.empty() && !request.pathOnly().ends_with('/')) return toSlash(request);
  for (const std::string& name : settings.folder_behaviors) {
    if (name.empty()) {
      auto listing = listFolder(std::move(opened.fd), request.pathOnly());
      if (!listing) continue;
      return Reply{200, *std::move(listing), "file_server", {{"content-type", "text/html; charset=utf-8"}}};
    }
    Opened inside = openBelow(mapping.file_prefix, relative.path.empty() ? name : relative.path + "/" + name);
    if (inside.isFile()) return file(std::move(inside), name, std::move(place));
  }
  return refused(403, "file_server_no_valid_directory_behavior");
}

Reply Served::at(const Mapping& mapping, std::string_view rest) const {
  RelativePath relative;
  const bool slash = rest.substr(0, 1) == "/";
  if (!readRelativePath(rest.substr(slash), relative)) {
    return Reply{400, "", "file_server_rejected_non_normalized_path"};
  }
  if (request.method != "GET" && !request.isHead()) {
    return Reply{405, "", "file_server_rejected_method", {{"allow", "GET, HEAD"}}};
  }
  if (!context.requestHeadersOnly()) return Reply{400, "", "file_server_rejected_not_end_stream"};
  base::LimitUnit place;
  if (!place.take(settings.places.get())) return refused(503, "file_server_too_many_open_files");
  Opened opened = openBelow(mapping.file_prefix, relative.path);
  if (opened.error != 0) return openFailed(opened.error);
  if (opened.isFolder()) return folder(mapping, relative, std::move(opened), std::move(place));
  if (!opened.isFile()) return refused(403, "file_server_not_a_file");
  const bool as_folder = relative.path.empty() ? slash : relative.slash;
  if (as_folder) return refused(404, "file_server_open_error");
  return file(std::move(opened), relative.path.empty() ? mapping.file_prefix : relative.path, std::move(place));
}

}  // namespace

std::optional<std::string_view> Mapping::rest(std::string_view path) const {
  size_t at = 0;
  for (const char c : request_prefix) {
    // An escape does not stand for a slash.
    if (at == path.size() || (c == '/' && path[at] != '/') || base::percentDecodedAt(path, at) != c) {
      return std::nullopt;
    }
  }
  if (request_prefix.back() == '/') --at;
  if (at < path.size() && path[at] != '/') return std::nullopt;
  return path.substr(at);
}

std::string_view Settings::contentTypeOf(std::string_view path) const {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const size_t dot = name.rfind('.');
  const bool has_suffix = dot != std::string_view::npos && dot != 0;
  const auto found = content_types.find(base::lowered(has_suffix ? name.substr(dot + 1) : name));
  return found == content_types.end() ? std::string_view(default_content_type) : std::string_view(found->second);
}

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& request, filter::Context& context) {
  const Settings& settings = context.settingsOr(settings_);
  for (const Mapping& mapping : settings.mappings) {
    if (const auto rest = mapping.rest(request.pathOnly()))
      return Served{settings, request, context}.at(mapping, *rest);
  }
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::file_server
