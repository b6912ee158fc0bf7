#include "install_models.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <thread>

namespace rtconform::plugin
{

namespace
{

constexpr uint64_t max_bytes = 1u << 30; // as the strict reader takes

std::string last_error()
{
    return std::strerror(errno);
}

std::string in_folder(const std::string& folder, const std::string& file)
{
    return !folder.empty() && folder.back() == '/' ? folder + file : folder + '/' + file;
}

/** A hidden name beside a file, which nobody else has. */
std::string name_beside(const std::string& folder, const std::string& file, const char* suffix)
{
    std::random_device random;
    std::string digits;
    for(int i = 0; i < 12; ++i)
        digits += "0123456789abcdef"[random() % 16];
    return in_folder(folder, '.' + file + '.' + digits + suffix);
}

bool write_all(int file, const char* bytes, size_t count)
{
    while(count > 0)
    {
        const auto written = ::write(file, bytes, count);
        if(written < 0 && errno == EINTR)
            continue;
        if(written <= 0)
            return false;
        bytes += written;
        count -= static_cast<size_t>(written);
    }
    return true;
}

/** A new file with the same bytes, on the disk and not only on its way there; otherwise why not, and no new file. */
std::optional<std::string> copy_file(const std::string& from, const std::string& to)
{
    // O_NONBLOCK: to open a pipe would otherwise wait for whoever writes to it.
    const Descriptor source { ::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
    struct stat status;
    if(!source || ::fstat(source.number(), &status) != 0)
        return from + ": expected a readable file, found: " + last_error();
    if(!S_ISREG(status.st_mode))
        return from + ": expected a file, found " + (S_ISDIR(status.st_mode) ? "a folder" : "a pipe or a device");
    if(static_cast<uint64_t>(status.st_size) > max_bytes)
        return from + ": expected at most 1 GiB, found more";
    Descriptor target { ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) };
    if(!target)
        return to + ": expected to write a file here, found: " + last_error();

    std::vector<char> piece(1 << 16);
    std::optional<std::string> failure;
    for(uint64_t bytes = 0; !failure;)
    {
        const auto count = ::read(source.number(), piece.data(), piece.size());
        if(count < 0 && errno == EINTR)
            continue;
        if(count == 0)
            break;
        bytes += static_cast<uint64_t>(std::max<ssize_t>(count, 0));
        if(count < 0)
            failure = from + ": expected a readable file, found: " + last_error();
        else if(bytes > max_bytes)
            failure = from + ": expected at most 1 GiB, found more";
        else if(!write_all(target.number(), piece.data(), static_cast<size_t>(count)))
            failure = to + ": expected room for a copy of " + from + ", found: " + last_error();
    }
    if(!failure && (::fsync(target.number()) != 0 || !target.close()))
        failure = to + ": expected room for a copy of " + from + ", found: " + last_error();
    if(failure)
        ::unlink(to.c_str());
    return failure;
}

std::optional<Stamp> stamp_of(const std::string& path)
{
    struct stat status;
    if(::stat(path.c_str(), &status) != 0)
        return {};
#ifdef __APPLE__
    const auto& changed = status.st_ctimespec;
#else
    const auto& changed = status.st_ctim;
#endif
    return Stamp { status.st_dev, status.st_ino, changed.tv_sec, changed.tv_nsec };
}

bool same(const Stamp& a, const Stamp& b)
{
    return a.device == b.device && a.number == b.number && a.changed_seconds == b.changed_seconds
        && a.changed_nanoseconds == b.changed_nanoseconds;
}

} // namespace

Stamps stamps_of(const std::string& folder)
{
    Stamps stamps;
    for(size_t m = 0; m < model_count; ++m)
        stamps[m] = stamp_of(in_folder(folder, model_specs[m].file));
    return stamps;
}

Descriptor turn_in(const std::string& folder, const std::atomic<bool>& is_cancelled)
{
    Descriptor held { ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
    while(held && !is_cancelled && ::flock(held.number(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        std::this_thread::sleep_for(std::chrono::milliseconds { 20 });
    return held;
}

std::variant<StagedModels, std::string> StagedModels::stage(const std::string& export_folder, const Stamps& before,
    const std::string& models_folder, const std::array<bool, model_count>& required)
{
    StagedModels staged;
    staged.folder_ = models_folder;
    const auto now = stamps_of(export_folder);
    for(size_t m = 0; m < model_count; ++m)
    {
        const auto& spec = model_specs[m];
        const auto exported = in_folder(export_folder, spec.file);
        const bool is_stale = now[m] && before[m] && same(*now[m], *before[m]);
        if(!now[m] || is_stale)
        {
            if(required[m])
                return exported + ": expected the trainer to leave " + spec.name + " here, found "
                    + (is_stale ? "only the file that was here before" : "no file");
            continue;
        }
        const auto copy = name_beside(models_folder, spec.file, ".tmp");
        if(auto failure = copy_file(exported, copy))
            return std::move(*failure);
        staged.files_.push_back({ { spec.name, {} }, in_folder(models_folder, spec.file), copy, {}, false });
        // The copy is checked, and not what the trainer, or what it left running, can still write to.
        auto checked = check_model_file(copy, spec);
        if(const auto* error = std::get_if<LoadError>(&checked))
            return exported + ": " + (error->json_path.empty() ? "" : error->json_path + ": ") + error->message;
        staged.files_.back().model.file = std::move(std::get<ModelFile>(checked));
    }
    return staged;
}

StagedModels::~StagedModels()
{
    for(const auto& file : files_)
        if(!file.is_replaced)
            ::unlink(file.copy.c_str());
}

std::optional<std::string> StagedModels::commit()
{
    std::optional<std::string> failure;
    for(auto file = files_.begin(); file != files_.end() && !failure; ++file)
        failure = replace(*file);
    if(failure)
        *failure += put_back();
    for(const auto& file : files_)
        if(!file.old.empty())
            ::unlink(file.old.c_str());
    // So that the new names are on the disk too. Some file systems can't, and nothing depends on it.
    const Descriptor folder { ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
    if(folder)
        ::fsync(folder.number());
    return failure;
}

std::optional<std::string> StagedModels::replace(Staged& file)
{
    const auto old = name_beside(folder_, std::string { file.model.name }, ".old");
    if(::link(file.target.c_str(), old.c_str()) == 0)
        file.old = old;
    else if(errno != ENOENT)
    {
        // Not every file system has links.
        if(auto failure = copy_file(file.target, old))
            return failure;
        file.old = old;
    }
    if(::rename(file.copy.c_str(), file.target.c_str()) != 0)
        return file.target + ": expected a file that can be replaced, found: " + last_error();
    file.is_replaced = true;
    return {};
}

std::string StagedModels::put_back()
{
    std::string complaints;
    for(auto& file : files_)
    {
        if(!file.is_replaced)
            continue;
        const auto result = file.old.empty() ? ::unlink(file.target.c_str())
                                             : ::rename(file.old.c_str(), file.target.c_str());
        if(result == 0)
            continue;
        complaints += "; " + file.target + " could not be put back (" + last_error() + ")";
        if(!file.old.empty())
            complaints += ", what played before is in " + std::exchange(file.old, {});
    }
    return complaints;
}

std::vector<InstalledModel> StagedModels::models() const
{
    std::vector<InstalledModel> models;
    for(const auto& file : files_)
        models.push_back(file.model);
    return models;
}

} // namespace rtconform::plugin
