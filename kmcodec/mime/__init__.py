"""What tells a system that `.kmc` files are images: for shared-mime-info, and for file(1)."""
