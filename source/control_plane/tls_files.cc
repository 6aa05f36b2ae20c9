#include "source/control_plane/tls_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "source/base/text.h"

namespace sluice::control_plane {
namespace {

constexpr std::string_view kLog = "tls";

absl::StatusOr<std::string> contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), {}};
  if (!file || content.empty()) return absl::NotFoundError(base::strCat(path, " cannot be read or is empty"));
  return content;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsFiles>> TlsFiles::start(Paths paths, event::Loop& loop,
                                                          observability::Logger& logger) {
  std::unique_ptr<TlsFiles> files(new TlsFiles(std::move(paths), logger));
  std::vector<std::string> directories;
  for (const std::string* path : {&files->paths_.certificate, &files->paths_.key, &files->paths_.client_ca}) {
    if (path->empty()) continue;
    std::string directory = std::filesystem::path(*path).parent_path().string();
    if (directory.empty()) directory = ".";
    if (std::find(directories.begin(), directories.end(), directory) != directories.end()) continue;
    absl::StatusOr<std::unique_ptr<event::DirectoryWatch>> watch =
        event::DirectoryWatch::start(directory, loop, [files = files.get()] { files->reload(); });
    if (!watch.ok()) return watch.status();
    files->watches_.push_back(*std::move(watch));
    directories.push_back(std::move(directory));
  }
  if (absl::Status status = files->load(); !status.ok()) return status;
  return files;
}

absl::Status TlsFiles::load() {
  tls::ServerConfig config;
  tls::CertificateConfig certificate;
  const absl::StatusOr<std::string> chain = contentOf(paths_.certificate);
  if (!chain.ok()) return chain.status();
  const absl::StatusOr<std::string> key = contentOf(paths_.key);
  if (!key.ok()) return key.status();
  std::string all = base::strCat(*chain, *key);
  certificate.chain_pem = *chain;
  certificate.key_pem = *key;
  certificate.name = paths_.certificate;
  certificate.key_name = paths_.key;
  config.common.certificates.push_back(std::move(certificate));
  config.common.alpn = {"h2"};
  config.ticket_key_ring = ticket_keys_;
  if (!paths_.client_ca.empty()) {
    const absl::StatusOr<std::string> authority = contentOf(paths_.client_ca);
    if (!authority.ok()) return authority.status();
    all += *authority;
    tls::ValidationConfig& validation = config.common.validation.emplace();
    validation.trusted_ca_pem = *authority;
    validation.trusted_ca_name = paths_.client_ca;
    config.require_client_certificate = true;
  }
  if (all == loaded_) return absl::OkStatus();
  absl::StatusOr<std::shared_ptr<const tls::ServerContext>> context = tls::ServerContext::create(config);
  if (!context.ok()) return context.status();
  for (const std::string& warning : (*context)->facts().warnings) logger_.warning(kLog, warning);
  if (!loaded_.empty()) logger_.info(kLog, "the certificate of the discovery port was read again");
  factory_.set(*std::move(context));
  loaded_ = std::move(all);
  return absl::OkStatus();
}

void TlsFiles::reload() {
  const absl::Status status = load();
  if (!status.ok()) logger_.error(kLog, base::toStd(status.message()), "; the last good files go on serving");
}

}  // namespace sluice::control_plane
