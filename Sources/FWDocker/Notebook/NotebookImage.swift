internal import FWBase

/// An image in which notebooks can be run: a base image, papermill, and what pip installs for a step.
struct NotebookImage: Sendable {
  let base: String
  private let requirements: String

  /// The label that says what an image was made of.
  static let label = "io.github.flowworker.notebook"

  init(base: String, requirements: [String]) {
    self.base = base
    self.requirements = requirements.map { $0 + "\n" }.joined()
  }

  /// Nothing of a step is in here: its requirements are in a file, and no shell sees them.
  private var dockerfile: String {
    """
    FROM \(base)
    COPY requirements.txt /.flowworker/requirements.txt
    RUN ["python3", "-m", "pip", "install", "--no-cache-dir", "papermill", "ipykernel", \
    "-r", "/.flowworker/requirements.txt"]

    """
  }

  /// What makes one image differ from another.
  var recipe: String { dockerfile + requirements }

  /// Its name: images of one recipe have one. That they are of one recipe is said by the label.
  var name: String {
    // FNV-1a, of 128 bits.
    var hash: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d
    for byte in recipe.utf8 { hash = (hash ^ UInt128(byte)) &* 0x0000_0000_0100_0000_0000_0000_0000_013b }
    let digits = String(hash, radix: 16)
    return "flowworker-notebook:" + String(repeating: "0", count: 32 - digits.utf8.count) + digits
  }

  /// What an engine builds it from.
  var context: ByteBuffer {
    var archive = TarArchive()
    archive.add("Dockerfile", mode: 0o644, dockerfile)
    archive.add("requirements.txt", mode: 0o644, requirements)
    return archive.finish()
  }

  /// The query of "build an image".
  func query(network: String?) -> String {
    var labels = JSONWriter()
    let recipe = recipe
    labels.object { $0.member(key: NotebookImage.label, recipe) }
    let text = labels.buffer()
    let labelText = URLText.escaped(String(decoding: text.bytes, as: UTF8.self))
    let mode = network.map { "&networkmode=\(URLText.escaped($0))" } ?? ""
    return "t=\(URLText.escaped(name))&rm=1&forcerm=1&labels=\(labelText)\(mode)"
  }
}
