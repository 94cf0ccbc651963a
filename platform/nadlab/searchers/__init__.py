"""The rivals of SemiGAN-NAD, one file each; `nadlab.methods.registry` names them."""
